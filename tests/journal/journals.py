"""Frames, writers and a reader that restarts, for the tests of the journal."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from proxy.core.config import Journal
from proxy.core.exchange import Finished, Started
from proxy.journal import frames
from proxy.journal.frames import Frame
from proxy.journal.reader import JournalReader, Reading
from proxy.journal.segments import Position, segment_numbers, segment_path
from proxy.journal.writer import Entry, JournalWriter


def settings(**fields: Any) -> Journal:
    """Small bounds, so that tests reach them."""
    return Journal(
        **{"segment_bytes": 64 * 1024, "max_bytes": 16 * 1024 * 1024, "backlog_bytes": 1024 * 1024, **fields}
    )


def open_writer(journal: Path, *, worker: int = 0, **fields: Any) -> JournalWriter:
    return JournalWriter(journal, worker=worker, settings=settings(**fields))


def started(call_id: str) -> Started:
    return Started(call_id=call_id, request_id=f"r-{call_id}", started_unix_ns=1, method="POST", target="/v1/x")


def finished(call_id: str) -> Finished:
    return Finished(call_id=call_id, request_id=f"r-{call_id}", started_unix_ns=1, method="POST", target="/v1/x")


def started_entry(call_id: str, salt: int) -> Entry:
    return frames.STARTED, call_id, frames.encode(frames.STARTED, msgspec.json.encode(started(call_id)), salt)


def finished_entry(call_id: str, salt: int, *, body: bytes = b"an answer") -> Entry:
    pieces = array("d", [0.5]).tobytes() + array("I", [len(body)]).tobytes()
    meta = msgspec.json.encode(finished(call_id))
    encoded = frames.encode(frames.FINISHED, meta, salt, request_body=b"hello", answer_body=body, pieces=pieces)
    return frames.FINISHED, call_id, encoded


def keep(writer: JournalWriter, *call_ids: str, body: bytes = b"an answer") -> None:
    """Append each call's finished frame, one by one."""
    for call_id in call_ids:
        writer.append([finished_entry(call_id, writer.salt, body=body)])


def call_id(frame: Frame) -> str:
    """Whose frame it is; `lost a b` for a lost frame of two calls, `probe` for one of none."""
    if frame.kind == frames.LOST:
        return " ".join(("lost", *frame.lost().call_ids)) if frame.lost().call_ids else "probe"
    return frame.started().call_id if frame.kind == frames.STARTED else frame.exchange().finished.call_id


def ids(reading: Reading) -> list[str]:
    return [name for name in (call_id(frame) for _writer, frame in reading.frames) if name != "probe"]


def read_ids(journal: Path) -> list[str]:
    """All that is in the journal, by a reader of its own that releases nothing."""
    reader = JournalReader(journal, {})
    found = []
    more = True
    while more:
        reading = reader.read(most=1000)
        found += ids(reading)
        more = reading.more
    reader.close()
    return found


def segments(writer: JournalWriter) -> list[Path]:
    assert writer.directory is not None
    return [segment_path(writer.directory, number) for number in segment_numbers(writer.directory)]


def wait_until(true: Callable[[], object], *, longest_s: float = 30.0) -> None:
    """Look every 5 ms; fails after `longest_s`."""
    deadline = time.monotonic() + longest_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


class Observer:
    """A reader with the ledger's memory: commits each reading, and restarts where the ledger says."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.positions: dict[str, Position] = {}
        self.seen: list[str] = []
        self.ended: list[str] = []
        self.reader = JournalReader(journal, {})

    def look(self, *, most: int = 1000, commit: bool = True) -> Reading:
        reading = self.reader.read(most=most)
        if commit:
            self.seen += ids(reading)
            self.ended += reading.ended
            self.positions.update(reading.positions)
        return reading

    def restart(self) -> None:
        self.reader.close()
        self.reader = JournalReader(self.journal, self.positions)


def open_files() -> int:
    """Descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
