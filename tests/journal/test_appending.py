"""Segments: when the next one begins, what the bound is, and what a failed write leaves."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from proxy.journal import appending, segments
from proxy.journal.counters import Counter
from proxy.journal.segments import segment_path, stored_bytes

from .conftest import MakeWriter
from .disks import Disk
from .journals import Observer, keep, read_ids, wait_until
from .journals import segments as segments_of
from .test_writer import count, is_direct

NAMES = [f"{number:03d}" for number in range(200)]
pytestmark = pytest.mark.usefixtures("quick_retry")


def test_a_segment_is_closed_before_it_is_too_long(make_writer: MakeWriter, journal: Path) -> None:
    writer = make_writer(segment_bytes=4096)
    keep(writer, *NAMES)

    assert all(path.stat().st_size <= 4096 for path in segments_of(writer))
    assert len(segments_of(writer)) > 5
    assert read_ids(journal) == NAMES


def test_a_full_disk_at_the_begin_of_a_segment_leaves_none_without_head(
    make_writer: MakeWriter, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames behind a missing head would all be lost."""
    writer = make_writer(segment_bytes=4096)
    keep(writer, *NAMES[:10])

    def refuse(_file: int, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", refuse)
    keep(writer, "big", *NAMES[10:20], body=b"x" * 4096)
    wait_until(lambda: count(writer, Counter.WRITE_ERRORS) > 3)
    assert len(segments_of(writer)) == 2  # not one more with each attempt
    monkeypatch.undo()
    wait_until(lambda: not count(writer, Counter.BACKLOG_FRAMES))

    assert read_ids(journal) == [*NAMES[:10], "big", *NAMES[10:20]]


def test_a_torn_frame_that_cannot_be_cut_off_ends_its_segment(
    make_writer: MakeWriter, disk: Disk, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer()
    keep(writer, "a")

    def refuse(_file: int, _length: int) -> None:
        raise OSError(errno.EIO, "bad")

    monkeypatch.setattr(os, "ftruncate", refuse)
    disk.room = 50
    keep(writer, "b")
    disk.room = None
    wait_until(lambda: not count(writer, Counter.BACKLOG_FRAMES))
    observer.look()

    assert observer.seen == ["a", "b"]
    assert observer.reader.damaged_frames == 1
    assert len(segments_of(writer)) == 2


def test_an_observer_that_deletes_meanwhile_is_no_write_error(
    make_writer: MakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer(segment_bytes=4096)
    listed = segments.segment_numbers
    monkeypatch.setattr(segments, "segment_numbers", lambda directory: [*listed(directory), 99])

    keep(writer, *NAMES)

    assert count(writer, Counter.WRITE_ERRORS) == 0
    assert is_direct(writer)


def test_beyond_the_bound_frames_wait_until_the_observer_has_read(
    make_writer: MakeWriter, observer: Observer, journal: Path
) -> None:
    writer = make_writer(max_bytes=16 * 1024, segment_bytes=4096)
    keep(writer, *NAMES)
    assert not is_direct(writer)
    assert count(writer, Counter.LAST_ERRNO) == errno.EDQUOT
    assert stored_bytes(journal, worker=0) <= 16 * 1024

    while len(observer.seen) < len(NAMES):
        observer.reader.release(observer.look())
        assert stored_bytes(journal, worker=0) <= 16 * 1024
    wait_until(lambda: is_direct(writer))

    assert observer.seen == NAMES
    assert count(writer, Counter.FINISHED_LOST) == 0


def test_a_bound_below_a_segments_length_does_not_block_for_ever(make_writer: MakeWriter, observer: Observer) -> None:
    """The last segment is never deleted; it must not be all that fits."""
    writer = make_writer(max_bytes=16 * 1024, segment_bytes=32 * 1024 * 1024)
    for name in NAMES:
        keep(writer, name)
        observer.reader.release(observer.look())

    assert observer.seen == NAMES
    assert is_direct(writer)


def test_the_bound_counts_former_lives_of_the_worker(make_writer: MakeWriter, journal: Path) -> None:
    former = journal / "0-00000000000000000001-1"
    former.mkdir(parents=True)
    segment_path(former, 1).write_bytes(bytes(16 * 1024))
    writer = make_writer(max_bytes=16 * 1024)
    other = make_writer(worker=1, max_bytes=16 * 1024)
    keep(writer, "a")
    keep(other, "b")

    assert count(writer, Counter.LAST_ERRNO) == errno.EDQUOT
    assert is_direct(other)


def test_a_frame_longer_than_a_segment_has_one_of_its_own(make_writer: MakeWriter, journal: Path) -> None:
    writer = make_writer(segment_bytes=4096)
    keep(writer, "a")
    keep(writer, "big", body=b"x" * 10_000)
    keep(writer, "c")

    assert len(segments_of(writer)) == 3
    assert read_ids(journal) == ["a", "big", "c"]


def test_with_fsync_new_names_are_on_the_disk(make_writer: MakeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync
    monkeypatch.setattr(
        appending.os, "fsync", lambda file: (synced.append(Path(f"/proc/self/fd/{file}").readlink()), fsync(file))
    )
    writer = make_writer(fsync=True)

    assert writer.directory is not None
    assert synced == [segments_of(writer)[0], writer.directory, writer.directory.parent]
