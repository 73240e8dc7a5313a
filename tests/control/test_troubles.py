"""Lines on their way to the observer: never waited for, kept a while, whoever restarts."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from proxy.control.telling import TellingHandler
from proxy.control.troubles import KEPT, LINE_BYTES, TroubleInbox, TroubleSender


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[TroubleSender]:
    made = TroubleSender(tmp_path, retry_s=0.0)
    yield made
    made.close()


def test_lines_from_before_the_observer_come_when_it_is_there(tmp_path: Path, sender: TroubleSender) -> None:
    for number in range(KEPT + 5):
        sender.send(b"%d" % number)
    inbox = TroubleInbox(tmp_path)
    sender.flush()

    came: list[bytes] = []
    while more := list(inbox.lines()):  # a socket takes few datagrams at a time
        came += more
        sender.flush()
    assert came == [b"%d" % number for number in range(5, KEPT + 5)]
    inbox.close()


def test_without_a_descriptor_nothing_is_raised(
    tmp_path: Path, sender: TroubleSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    inbox = TroubleInbox(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", none_left)
        sender.send(b"one")
    sender.send(b"two")

    assert list(inbox.lines()) == [b"one", b"two"]
    inbox.close()


def test_a_new_observer_takes_over(tmp_path: Path, sender: TroubleSender) -> None:
    first = TroubleInbox(tmp_path)
    sender.send(b"one")
    second = TroubleInbox(tmp_path)
    sender.send(b"two")  # the first one still reads
    both = list(first.lines())
    first.close()
    sender.send(b"three")

    assert both == [b"one", b"two"]
    assert list(second.lines()) == [b"three"]
    second.close()


def test_an_observer_that_does_not_read_holds_nobody_up(tmp_path: Path, sender: TroubleSender) -> None:
    inbox = TroubleInbox(tmp_path)
    for _ in range(5000):
        sender.send(b"x" * 1000)

    assert len(list(inbox.lines(most=5000))) < 5000
    inbox.close()


def test_a_line_that_is_too_long_is_told_shorter(tmp_path: Path, sender: TroubleSender) -> None:
    inbox = TroubleInbox(tmp_path)
    line = {"timestamp": "t", "level": "error", "event": "part_failed", "error": "x" * 100_000, "n": 1}
    more = line | {f"field {number}": "\0" * 9_000 for number in range(20)}
    for said in (orjson.dumps(line), orjson.dumps(more), b"no JSON" * 20_000):
        sender.send(said)

    shorter, much_shorter, rubbish = inbox.lines()
    assert orjson.loads(shorter) == {"cut": True, **line, "error": "x" * 4_000}
    assert orjson.loads(much_shorter).items() >= {"event": "part_failed", "n": 1, "cut": True}.items()
    assert len(much_shorter) <= LINE_BYTES
    assert rubbish.startswith(b"no JSON")
    inbox.close()


def test_a_long_directory_has_room(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    inbox = TroubleInbox(deep)
    sender = TroubleSender(deep)
    sender.send(b"hello")

    assert list(inbox.lines()) == [b"hello"]
    sender.close()
    inbox.close()


def test_what_a_relay_logs_is_sent_as_it_is_printed(tmp_path: Path) -> None:
    inbox = TroubleInbox(tmp_path)
    logger = logging.Logger("sightglass.relay")
    handler = TellingHandler(tmp_path)
    logger.addHandler(handler)
    logger.warning("upstream_failed", extra={"upstream": "default"})

    [line] = list(inbox.lines())
    said = orjson.loads(line)
    assert (said["level"], said["event"], said["upstream"]) == ("warning", "upstream_failed", "default")
    handler.close()
    inbox.close()
