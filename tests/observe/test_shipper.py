"""What waits for a collector is bounded and counted, and the end is in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from proxy.observe import shipper as module
from proxy.observe.shipper import Pace, Send, Shipper, pace_of

QUICK = Pace(queue=100, batch=10, delay_s=0.01)


class Receiver:
    """Takes batches, when it may."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.may = threading.Event()
        self.may.set()
        self.refuses = ""

    def connect(self) -> Send[bytes]:
        return self.send

    def send(self, batch: list[bytes]) -> str:
        self.may.wait(10)
        self.batches.append(batch)
        return self.refuses


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def close(shipper: Shipper, patience_s: float = 2.0) -> None:
    shipper.finish(patience_s=patience_s)
    shipper.wait()


def test_all_is_sent_in_order_in_batches():
    receiver = Receiver()
    shipper = Shipper("spans", receiver.connect, Pace(queue=1000, batch=10, delay_s=60))
    for number in range(25):
        shipper.put(b"%d" % number, count=2, size=1)
    close(shipper)

    assert [entry for batch in receiver.batches for entry in batch] == [b"%d" % number for number in range(25)]
    assert {len(batch) for batch in receiver.batches} == {5}
    assert (shipper.sent, set(shipper.dropped.values())) == (50, {0})


def test_few_are_sent_after_the_delay():
    receiver = Receiver()
    shipper = Shipper("spans", receiver.connect, QUICK)
    shipper.put(b"a", count=1, size=1)
    until(lambda: shipper.sent == 1)
    close(shipper)

    assert receiver.batches == [[b"a"]]


def test_the_oldest_go_when_too_many_wait():
    receiver = Receiver()
    receiver.may.clear()
    shipper = Shipper("spans", receiver.connect, QUICK)
    for number in range(500):
        shipper.put(b"%d" % number, count=1, size=1)
    receiver.may.set()
    close(shipper)

    assert receiver.batches[-1][-1] == b"499"
    assert shipper.dropped["queue_full"] > 350
    assert shipper.sent + shipper.dropped["queue_full"] == 500


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_WAITING_BYTES", 100)
    receiver = Receiver()
    shipper = Shipper("spans", receiver.connect, Pace(queue=100, batch=100, delay_s=60))
    for _ in range(4):
        shipper.put(b"x" * 40, count=3, size=40)
    shipper.put(b"x" * 101, count=5, size=101)
    close(shipper)

    assert shipper.dropped["queue_full"] == 17
    assert receiver.batches == []


@pytest.mark.parametrize("how", ["refuses", "raises"])
def test_what_is_not_taken_is_counted_and_said_once(how, caplog: pytest.LogCaptureFixture):
    receiver = Receiver()
    receiver.refuses = "status 400"

    def raises(_batch: list[bytes]) -> str:
        raise ConnectionError("secret")

    shipper = Shipper("spans", lambda: raises if how == "raises" else receiver.send, QUICK)
    for _ in range(3):
        shipper.put(b"a", count=1, size=1)
        until(lambda: not shipper._entries)
    until(lambda: shipper.dropped["export_failed"] == 3)
    close(shipper)

    said = [record for record in caplog.records if record.message == "sending_fails"]
    assert len(said) == 1
    assert said[0].__dict__["error"] == ("ConnectionError" if how == "raises" else "status 400")


def test_it_is_said_when_all_is_well_again(caplog: pytest.LogCaptureFixture):
    receiver = Receiver()
    receiver.refuses = "no"
    shipper = Shipper("spans", receiver.connect, QUICK)
    shipper.put(b"a", count=1, size=1)
    until(lambda: shipper.dropped["export_failed"] == 1)
    receiver.refuses = ""
    shipper.put(b"b", count=1, size=1)
    until(lambda: shipper.sent == 1)
    close(shipper)

    assert [record.message for record in caplog.records] == ["sending_fails", "sending_works_again"]


def test_no_way_at_all_is_said_and_counted(caplog: pytest.LogCaptureFixture):
    def nowhere() -> Send[bytes]:
        raise ValueError("Invalid compression type: 'zip'")

    shipper = Shipper("spans", nowhere, QUICK)
    shipper.put(b"a", count=1, size=1)
    until(lambda: shipper.dropped["export_failed"] == 1)
    close(shipper)

    assert caplog.records[0].message == "sending_impossible"


def test_a_mute_receiver_holds_nobody_up():
    receiver = Receiver()
    receiver.may.clear()
    shipper = Shipper("spans", receiver.connect, QUICK)
    for _ in range(50):
        shipper.put(b"a", count=1, size=1)
    until(lambda: len(shipper._entries) == 40)
    close(shipper, 0.2)  # it would wait for ever
    receiver.may.set()

    assert shipper.dropped["shutdown"] == 40


def test_the_pace_is_the_batch_processors():
    said = {"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "20", "OTEL_BSP_SCHEDULE_DELAY": "250"}

    assert pace_of(said, "OTEL_BSP") == Pace(queue=10, batch=10, delay_s=0.25)
    assert pace_of({}, "OTEL_BSP") == Pace(queue=2048, batch=512, delay_s=5.0)
    assert pace_of({"OTEL_BSP_SCHEDULE_DELAY": "soon", "OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "OTEL_BSP") == Pace()
