"""Damage: whatever becomes of a segment's bytes, what is whole is read, and nothing else."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal import following, frames
from proxy.journal.segments import SEGMENT_HEAD, pack_segment_head, segment_path

from .conftest import MakeWriter
from .journals import Observer, finished_entry, ids, keep, read_ids, segments

SALT = 0x5A17
CALLS = ("a", "b", "c", "d", "e")


def frame(call_id: str, *, body: bytes = b"an answer") -> bytes:
    return b"".join(finished_entry(call_id, SALT, body=body)[2])


def read_dead(content: bytes, *, most: int = 1000) -> Observer:
    """All that is read of a dead writer's only segment."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "0-1-1"
        directory.mkdir()
        segment_path(directory, 1).write_bytes(content)
        observer = Observer(Path(folder))
        while not observer.ended:
            observer.look(most=most)
        observer.reader.close()
    return observer


FRAMES = [frame(name) for name in CALLS]
SEGMENT = pack_segment_head(SALT) + b"".join(FRAMES)
BEGINS = [SEGMENT_HEAD.size + sum(map(len, FRAMES[:number])) for number in range(len(FRAMES) + 1)]


def hit(begin: int, end: int) -> list[str]:
    """Calls whose frame has bytes in [begin, end)."""
    return [name for name, low, high in zip(CALLS, BEGINS, BEGINS[1:], strict=False) if begin < high and end > low]


@given(st.integers(0, len(SEGMENT) * 8 - 1))
def test_a_flipped_bit_costs_its_frame_only_and_is_counted_once(bit: int) -> None:
    content = bytearray(SEGMENT)
    content[bit // 8] ^= 1 << bit % 8

    observer = read_dead(bytes(content))

    lost = hit(bit // 8, bit // 8 + 1)
    assert observer.seen == [name for name in CALLS if name not in lost]
    assert observer.reader.damaged_frames == 1
    assert observer.reader.damaged_bytes == (len(FRAMES[CALLS.index(lost[0])]) if lost else SEGMENT_HEAD.size)


@given(st.integers(0, len(SEGMENT)))
def test_a_cut_costs_what_lay_behind_it(length: int) -> None:
    observer = read_dead(SEGMENT[:length])

    assert observer.seen == [name for name, end in zip(CALLS, BEGINS[1:], strict=True) if end <= length]
    assert observer.reader.damaged_frames == (length not in BEGINS and length > 0)


@given(st.integers(SEGMENT_HEAD.size, len(SEGMENT) - 1), st.binary(min_size=1, max_size=400))
def test_overwritten_bytes_cost_the_frames_that_they_hit(begin: int, foreign: bytes) -> None:
    foreign = foreign[: len(SEGMENT) - begin]

    observer = read_dead(SEGMENT[:begin] + foreign + SEGMENT[begin + len(foreign) :])

    whole = [name for name in CALLS if name not in hit(begin, begin + len(foreign))]
    # Bytes that happen to be the same cost nothing.
    assert [name for name in observer.seen if name in whole] == whole
    assert len(observer.seen) == len(set(observer.seen))


@given(st.integers(SEGMENT_HEAD.size, len(SEGMENT)), st.integers(0, 500), st.binary(max_size=200))
def test_missing_and_added_bytes_cost_the_frames_that_they_hit(begin: int, missing: int, added: bytes) -> None:
    observer = read_dead(SEGMENT[:begin] + added + SEGMENT[begin + missing :])

    before = [name for name, end in zip(CALLS, BEGINS[1:], strict=True) if end <= begin]
    behind = [name for name, start in zip(CALLS, BEGINS, strict=False) if start >= begin + missing]
    assert observer.seen[: len(before)] == before
    assert observer.seen[len(observer.seen) - len(behind) :] == behind


@given(st.binary(max_size=2000))
def test_any_bytes_at_all_raise_nothing(content: bytes) -> None:
    assert read_dead(content).seen == []


def test_a_prompt_that_looks_like_frames_never_becomes_one() -> None:
    """Not even when the frame around it is damaged, so that the reader looks for the next frame in the prompt."""
    forged = b"".join(finished_entry("forged", 0)[2] + finished_entry("forged", SALT ^ 1)[2])
    hostile = bytearray(frame("victim", body=forged * 50 + frames.MAGIC * 1000))
    hostile[frames.HEAD_BYTES + 3] ^= 1

    observer = read_dead(pack_segment_head(SALT) + FRAMES[0] + bytes(hostile) + FRAMES[1])

    assert observer.seen == ["a", "b"]
    assert observer.reader.damaged_frames == 1
    assert observer.reader.damaged_bytes == len(hostile)


def test_two_damaged_neighbours_are_two_places() -> None:
    content = bytearray(SEGMENT)
    for begin in BEGINS[1:3]:
        content[begin + frames.HEAD_BYTES] ^= 1  # in the sections: their heads stay known

    observer = read_dead(bytes(content))

    assert observer.seen == ["a", "d", "e"]
    assert observer.reader.damaged_frames == 2


def test_damage_is_found_across_the_edges_of_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a magic is cut by the end of a read."""
    content = bytearray(SEGMENT)
    content[BEGINS[1]] ^= 1
    for size in range(frames.HEAD_BYTES, 300):
        monkeypatch.setattr(following, "_READ_BYTES", size)
        assert read_dead(bytes(content), most=2).seen == ["a", "c", "d", "e"]


def test_a_living_writer_is_waited_for_until_its_frame_is_whole(make_writer: MakeWriter, observer: Observer) -> None:
    """However slowly it appears, and with a restart of the reader at each byte."""
    writer = make_writer()
    keep(writer, "a")
    encoded = b"".join(finished_entry("b", writer.salt)[2])

    with segments(writer)[0].open("ab", buffering=0) as file:
        for byte in encoded:
            observer.look()
            observer.restart()
            assert observer.seen == ["a"]
            file.write(bytes([byte]))
    observer.look()

    assert observer.seen == ["a", "b"]
    assert observer.reader.damaged_frames == 0


@pytest.mark.parametrize("at", [8, 17, 20, 24, 41])
def test_a_living_writers_damaged_frame_holds_nobody_up(make_writer: MakeWriter, observer: Observer, at: int) -> None:
    """Its length may lie: the next frame shows it. Until then there is nothing to miss, and nothing is counted."""
    writer = make_writer()
    keep(writer, "a")
    encoded = bytearray(b"".join(finished_entry("b", writer.salt)[2]))
    encoded[at] ^= 0x40
    writer.append([(frames.FINISHED, "b", [bytes(encoded)])])

    for _ in range(3):
        assert not observer.look().more
    assert observer.reader.damaged_frames == 0
    keep(writer, "c")
    observer.look()

    assert observer.seen == ["a", "c"]
    assert observer.reader.damaged_frames == 1


def test_a_torn_frame_taken_back_and_written_again_is_read_once(make_writer: MakeWriter, observer: Observer) -> None:
    """What a full disk leaves for a moment."""
    writer = make_writer()
    keep(writer, "a")
    size = segments(writer)[0].stat().st_size
    with segments(writer)[0].open("ab") as file:
        file.write(b"".join(finished_entry("b", writer.salt)[2])[:70])

    observer.look()
    os.truncate(segments(writer)[0], size)
    observer.look()
    keep(writer, "b", "c")
    observer.look()

    assert observer.seen == ["a", "b", "c"]
    assert observer.reader.damaged_frames == 0


def test_a_damaged_head_of_a_segment_loses_no_frame() -> None:
    for head in (b"SGJSEG9\n" + struct.pack("<3I", *[SALT] * 3), b"SGJSEG1\n" + struct.pack("<3I", SALT, 0, SALT)):
        observer = read_dead(head + b"".join(FRAMES))

        assert observer.seen == list(CALLS)
        assert observer.reader.damaged_frames == 1


def test_a_lying_length_does_not_cost_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with a check that is right: no more is read than the file has."""
    rest = struct.pack("<8I", frames.FINISHED, 0, 500_000_000, 0, 0, 0, 0, 0)
    lying = struct.pack("<4sI", frames.MAGIC, frames.crc32(rest, SALT)) + rest
    asked = []
    pread = os.pread
    monkeypatch.setattr(following.os, "pread", lambda file, size, at: asked.append(size) or pread(file, size, at))

    observer = read_dead(pack_segment_head(SALT) + lying + FRAMES[0])

    assert observer.seen == ["a"]
    assert max(asked) <= following._READ_BYTES


def test_a_bad_sector_is_tried_again_and_given_up_at_last(
    make_writer: MakeWriter, observer: Observer, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer()
    names = [f"{number:03d}" for number in range(60)]
    keep(writer, *names)
    other = make_writer(worker=1)
    keep(other, "other")
    bad = range(4096, 8192)
    pread = os.pread

    def failing(file: int, size: int, at: int) -> bytes:
        if at in bad:
            raise OSError(5, "bad sector")
        return pread(file, min(size, bad.start - at) if at < bad.start else size, at)

    monkeypatch.setattr(following.os, "pread", failing)
    for _ in range(following._TRIES - 1):
        observer.look()
    assert observer.reader.damaged_frames == 0
    assert "other" in observer.seen
    read_before = len(observer.seen)
    for _ in range(3):
        observer.look()

    assert observer.reader.damaged_frames == 1
    assert len(observer.seen) > read_before
    assert observer.seen[-1] == names[-1]
    monkeypatch.undo()
    assert set(read_ids(journal)) - set(observer.seen) == {
        name for name in names if name not in observer.seen
    }  # only what the sector held


def test_lag_is_what_lies_behind_the_position(make_writer: MakeWriter, observer: Observer) -> None:
    writer = make_writer(segment_bytes=4096)
    keep(writer, *map(str, range(100)))
    stored = sum(path.stat().st_size for path in segments(writer))

    reading = observer.look(most=1)
    assert ids(reading) == ["0"]
    assert observer.reader.lag_bytes() == stored - reading.positions[reading.frames[0][0]].offset
    observer.look()

    assert observer.reader.lag_bytes() == 0
