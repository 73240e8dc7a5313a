"""The observer's thread: one at a time, patient with the ledger, whole at its end."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.core.config import Config, Observer
from proxy.core.errors import LedgerBusy
from proxy.observe.guards import Guards
from proxy.observe.observing import Observing
from proxy.store import open_ledger, open_reader
from proxy.store.engine import ledger_path
from tests.observe.journals import FakeRelay
from tests.observe.pipelines import Remembering

Start = Callable[..., Observing]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[Observing] = []

    def make(**options: Any) -> Observing:
        config = Config(data=str(tmp_path), observer=Observer(linger_s=0.05))
        observing = Observing(config, (Remembering(),), Guards(), lambda _: None, price_file=lambda: None, **options)
        observing.start()
        begun.append(observing)
        return observing

    yield make
    for observing in begun:
        observing.stop()
        observing.wait()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass within 30 s"
        time.sleep(0.01)


def recorded(data: Path) -> list[str]:
    with open_reader(data) as reader:
        return [call.record.call_id for call in reader.last_calls(1000)]


def test_a_call_is_in_the_ledger_soon(tmp_path: Path, start: Start) -> None:
    observing = start()
    until(lambda: observing.state.doing == "observing")
    relay = FakeRelay(tmp_path)
    relay.call("a")

    until(lambda: recorded(tmp_path) == ["a"])
    relay.die()


def test_told_to_stop_it_reads_what_is_left(tmp_path: Path, start: Start) -> None:
    observing = start()
    until(lambda: observing.state.doing == "observing")
    relay = FakeRelay(tmp_path)
    relay.start("open")
    for number in range(2000):
        relay.call(f"call-{number}")
    relay.die()

    observing.stop()
    observing.wait()

    assert observing.state.doing == "stopped"
    assert observing.state.ledger_calls == 2001
    assert not relay.directory.exists()


def test_told_to_stop_before_it_began_it_reads_the_rest_all_the_same(tmp_path: Path) -> None:
    relay = FakeRelay(tmp_path)
    relay.call("a")
    relay.die()
    observing = Observing(Config(data=str(tmp_path)), (), Guards(), lambda _: None, price_file=lambda: None)

    observing.stop()
    observing.start()
    observing.wait()

    assert recorded(tmp_path) == ["a"]


def test_two_observers_never_read_at_once(tmp_path: Path, start: Start) -> None:
    lock = os.open(tmp_path / "observer.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    observing = start()
    until(lambda: observing.state.doing == "waiting")
    made_meanwhile = ledger_path(tmp_path).exists()

    os.close(lock)

    until(lambda: observing.state.doing == "observing")
    assert not made_meanwhile


def test_told_to_stop_while_it_waits_for_the_other(tmp_path: Path, start: Start) -> None:
    lock = os.open(tmp_path / "observer.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    observing = start()
    until(lambda: observing.state.doing == "waiting")

    observing.stop()
    observing.wait()

    assert not observing._thread.is_alive()
    os.close(lock)


def test_a_ledger_that_is_none_is_said_and_waited_for(tmp_path: Path, start: Start) -> None:
    ledger_path(tmp_path).write_bytes(b"this is no database" * 1000)
    relay = FakeRelay(tmp_path)
    relay.call("a")
    observing = start()
    until(lambda: observing.state.ledger_error is not None)
    error = observing.state.ledger_error

    ledger_path(tmp_path).unlink()

    until(lambda: observing.state.doing == "observing" and observing.state.caught_up)
    assert "Move it aside" in (error or "")
    assert recorded(tmp_path) == ["a"]
    relay.die()


def test_the_last_good_call_of_each_upstream_is_told_at_the_start(tmp_path: Path, start: Start) -> None:
    relay = FakeRelay(tmp_path)
    relay.call("a")
    relay.die()
    first = start()
    until(lambda: first.state.caught_up)
    first.stop()
    first.wait()
    told: list[Mapping[str, int]] = []

    start(opened=told.append)

    until(lambda: bool(told))
    assert list(told[0]) == ["default"]


def test_a_fault_in_reading_the_journal_is_survived(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from proxy.journal.reader import JournalReader

    faults = [OSError(5, "Input/output error")]
    read = JournalReader.read

    def sometimes(self: JournalReader, *, most: int) -> Any:
        if faults:
            raise faults.pop()
        return read(self, most=most)

    monkeypatch.setattr(JournalReader, "read", sometimes)
    relay = FakeRelay(tmp_path)
    relay.call("a")
    observing = start()

    until(lambda: observing.state.ledger_calls == 1)

    assert observing.guards.errors["journal"] == 1
    relay.die()


def test_the_ledger_stays_open_to_readers(tmp_path: Path, start: Start) -> None:
    observing = start()
    until(lambda: observing.state.doing == "observing")

    with open_ledger(tmp_path) as other:
        assert other.totals().calls == 0


def test_references_that_the_ledger_did_not_take_are_given_again(tmp_path: Path, start: Start) -> None:
    kept: list[Any] = []

    class Learned:
        """Tells of one lane that has settled, once."""

        def __init__(self) -> None:
            self._told = [(7, b"answers", b"prompts")]

        def recall(self, ledger: Any) -> None:
            refused = iter([True, True, False])
            keep = ledger.keep_references

            def keep_references(references: Any) -> None:
                if next(refused):
                    raise LedgerBusy("locked")
                keep(references)
                kept.extend(ledger.references())

            ledger.keep_references = keep_references

        def learned(self) -> list[Any]:
            told, self._told = self._told, []
            return told

    class Reading:
        def turn(self, ledger: Any, *, busy: bool) -> None:
            """Nothing."""

    observing = start(signalling=Learned(), reader=Reading())

    until(lambda: bool(kept))
    assert kept == [(7, b"answers", b"prompts")]
    assert observing.guards.errors["drift"] == 2
