"""Bodies do not outlive observation: what was read and released is gone from the disk, the segment in use included."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.core.config import Journal
from proxy.journal import following, frames
from proxy.journal.reader import JournalReader
from proxy.journal.writer import JournalWriter

SECRET = b"a prompt that nobody else may read"


def finished(writer: JournalWriter, body: bytes) -> list[tuple[int, str, list[bytes]]]:
    return [(frames.FINISHED, "c", frames.encode(frames.FINISHED, b"{}", writer.salt, request_body=body))]


def on_disk(journal: Path) -> bytes:
    return b"".join(path.read_bytes() for path in journal.rglob("*.segment"))


def test_released_bodies_are_erased_from_the_segment_in_use(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path, worker=0, settings=Journal()), JournalReader(tmp_path, {})
    writer.append(finished(writer, SECRET * 1000))
    assert SECRET in on_disk(tmp_path)

    reader.release(reader.read(most=10))

    assert SECRET not in on_disk(tmp_path)
    writer.append(finished(writer, b"next"))
    assert [frame.request_body for _, frame in reader.read(most=10).frames] == [b"next"]
    reader.close()
    writer.close()


def test_what_is_not_released_stays(tmp_path: Path) -> None:
    writer, reader = JournalWriter(tmp_path, worker=0, settings=Journal()), JournalReader(tmp_path, {})
    writer.append(finished(writer, b"first"))
    reader.release(reader.read(most=10))
    writer.append(finished(writer, SECRET))
    reader.read(most=10)

    assert SECRET in on_disk(tmp_path)
    reader.close()
    writer.close()


def test_one_look_takes_no_more_than_its_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_BYTES", 5000)
    writer, reader = JournalWriter(tmp_path, worker=0, settings=Journal()), JournalReader(tmp_path, {})
    for _ in range(10):
        writer.append(finished(writer, b"x" * 2000))

    looks = []
    while True:
        reading = reader.read(most=100)
        reader.release(reading)
        looks.append(len(reading.frames))
        if not reading.more:
            break

    assert sum(looks) == 10
    assert max(looks) == 3
    reader.close()
    writer.close()
