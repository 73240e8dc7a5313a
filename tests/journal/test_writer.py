"""The writer never raises and never waits for a sick disk; what it counts is what became of the frames."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from proxy.journal import writer as writer_module
from proxy.journal.counters import Counter, read_counters
from proxy.journal.segments import is_whole
from proxy.journal.writer import JournalWriter

from .conftest import MakeWriter
from .disks import Disk
from .journals import finished_entry, keep, open_files, open_writer, read_ids, segments, started_entry, wait_until


def count(writer: JournalWriter, counter: Counter) -> int:
    return writer.counters.words[counter]


def is_direct(writer: JournalWriter) -> bool:
    return not count(writer, Counter.WRITE_STATE)


def test_frames_are_in_the_file_when_append_returns(make_writer: MakeWriter, journal: Path) -> None:
    writer = make_writer()
    writer.append([started_entry("a", writer.salt), started_entry("b", writer.salt)])
    writer.append([finished_entry("a", writer.salt)])
    writer.append([])

    assert read_ids(journal) == ["a", "b", "a"]
    assert count(writer, Counter.STARTED_FRAMES) == 2
    assert count(writer, Counter.FINISHED_FRAMES) == 1
    assert is_direct(writer)


def test_frames_of_one_turn_are_one_write(make_writer: MakeWriter, disk: Disk) -> None:
    writer = make_writer()
    writer.append([started_entry(str(number), writer.salt) for number in range(50)])

    assert disk.threads == ["MainThread"]


def test_more_buffers_than_one_writev_takes(make_writer: MakeWriter, journal: Path) -> None:
    writer = make_writer(max_bytes=10**9, segment_bytes=10**8)
    names = [f"{number:04d}" for number in range(1500)]
    writer.append([started_entry(name, writer.salt) for name in names])

    assert read_ids(journal) == names
    assert not count(writer, Counter.WRITE_ERRORS)


def test_only_the_owner_may_read_segments(make_writer: MakeWriter) -> None:
    assert [path.stat().st_mode & 0o777 for path in segments(make_writer())] == [0o600]


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
@pytest.mark.usefixtures("quick_retry")
def test_a_refused_write_is_counted_and_written_later_in_order(
    make_writer: MakeWriter, disk: Disk, journal: Path, code: int
) -> None:
    writer = make_writer()
    keep(writer, "a")

    disk.errno = code
    writer.append([started_entry("b", writer.salt), finished_entry("b", writer.salt)])
    keep(writer, "c")
    assert not is_direct(writer)
    assert count(writer, Counter.BACKLOG_FRAMES) == 3
    assert count(writer, Counter.BACKLOG_BYTES) > 0
    assert count(writer, Counter.LAST_ERRNO) == code
    disk.errno = 0
    wait_until(lambda: is_direct(writer))
    keep(writer, "d")

    assert read_ids(journal) == ["a", "b", "b", "c", "d"]
    assert count(writer, Counter.WRITE_ERRORS) >= 1
    assert count(writer, Counter.FINISHED_FRAMES) == 4
    assert count(writer, Counter.BACKLOG_FRAMES) == count(writer, Counter.BACKLOG_BYTES) == 0
    assert disk.threads[-1] == "MainThread"


@pytest.mark.usefixtures("quick_retry")
def test_one_failure_of_a_turns_frames_is_counted(make_writer: MakeWriter, disk: Disk) -> None:
    """Even if the disk is well again the next moment."""
    writer = make_writer()
    disk.errno = errno.EIO
    writer.append([started_entry("a", writer.salt), started_entry("b", writer.salt)])
    disk.errno = 0

    assert count(writer, Counter.WRITE_ERRORS) >= 1
    assert count(writer, Counter.LAST_ERRNO) == errno.EIO


@pytest.mark.usefixtures("quick_retry")
def test_appending_to_a_stalled_disk_returns_at_once(make_writer: MakeWriter, disk: Disk, journal: Path) -> None:
    """The first stall is felt; from then on the thread writes, until the disk is quick again."""
    writer = make_writer()
    disk.delay_s = 0.1
    keep(writer, "a")
    assert count(writer, Counter.WRITE_STALLS) == 1

    for number in range(100):
        keep(writer, f"{number:03d}")
    assert disk.threads.count("MainThread") == 1
    disk.delay_s = 0.0
    wait_until(lambda: is_direct(writer))
    keep(writer, "z")

    assert read_ids(journal) == ["a", *(f"{number:03d}" for number in range(100)), "z"]
    assert disk.threads[-1] == "MainThread"


def test_a_busy_processor_is_no_stall(make_writer: MakeWriter, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames in memory are lost by kill -9, so we do not go there because a neighbour computes."""
    writer = make_writer()
    writev = os.writev

    def slow(file: int, buffers: list[bytes]) -> int:
        until = time.monotonic() + 2 * writer_module.STALL_S
        while time.monotonic() < until:
            pass
        return writev(file, buffers)

    monkeypatch.setattr(os, "writev", slow)
    keep(writer, "a")

    assert is_direct(writer)
    assert not count(writer, Counter.WRITE_STALLS)


def test_with_fsync_each_frame_is_on_the_disk(make_writer: MakeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    writer = make_writer(fsync=True)
    keep(writer, "a", "b")
    writer.append([started_entry("c", writer.salt), started_entry("d", writer.salt)])

    assert len(synced) == 3


@pytest.mark.usefixtures("quick_retry")
def test_a_failed_fsync_is_a_failed_write(
    make_writer: MakeWriter, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer(fsync=True)
    keep(writer, "a")

    def refuse(_file: int) -> None:
        raise OSError(errno.EIO, "bad")

    monkeypatch.setattr(os, "fdatasync", refuse)
    keep(writer, "b")
    wait_until(lambda: count(writer, Counter.WRITE_ERRORS) > 1)
    monkeypatch.undo()
    wait_until(lambda: count(writer, Counter.FINISHED_FRAMES) == 2)

    assert read_ids(journal) == ["a", "b"]
    assert len(segments(writer)) == 2  # pages that a failed fsync dropped are not trusted


@pytest.mark.usefixtures("quick_retry")
def test_a_directory_that_cannot_be_made_holds_nothing_up(journal: Path) -> None:
    journal.write_bytes(b"in the way")
    writer = open_writer(journal)
    assert writer.directory is None
    writer.counters.words[Counter.CALLS] += 7
    keep(writer, "a", "b")
    assert not is_direct(writer)

    journal.unlink()
    wait_until(lambda: is_direct(writer))
    keep(writer, "c")
    writer.counters.words[Counter.CALLS] += 1
    keep(writer, "d")

    assert read_ids(journal) == ["a", "b", "c", "d"]
    assert writer.directory is not None
    shown = read_counters(writer.directory / "counters")
    assert shown[Counter.CALLS] == 8
    assert shown[Counter.FINISHED_FRAMES] == 4
    assert [path.name for path in journal.iterdir()] == [writer.directory.name]
    writer.close()


def test_a_directory_deleted_under_its_feet_is_made_anew(make_writer: MakeWriter, journal: Path) -> None:
    writer = make_writer(segment_bytes=4096)
    keep(writer, "a")
    assert writer.directory is not None
    shutil.rmtree(writer.directory)

    keep(writer, "big", "b", body=b"x" * 4096)

    assert read_ids(journal) == ["big", "b"]
    assert is_direct(writer)


@pytest.mark.usefixtures("quick_retry")
def test_close_writes_what_waits(make_writer: MakeWriter, disk: Disk, journal: Path) -> None:
    writer = make_writer()
    disk.errno = errno.ENOSPC
    keep(writer, "a", "b")
    disk.errno = 0

    writer.close()

    assert read_ids(journal) == ["a", "b"]
    assert count(writer, Counter.FINISHED_LOST) == 0


@pytest.mark.usefixtures("quick_retry")
def test_close_counts_what_the_disk_does_not_take(make_writer: MakeWriter, disk: Disk, journal: Path) -> None:
    writer = make_writer()
    disk.errno = errno.ENOSPC
    writer.append([started_entry("a", writer.salt), finished_entry("a", writer.salt), finished_entry("b", writer.salt)])

    writer.close(deadline_s=0.1)
    keep(writer, "late")

    assert read_ids(journal) == []
    assert count(writer, Counter.STARTED_LOST) == 1
    assert count(writer, Counter.FINISHED_LOST) == 3
    assert count(writer, Counter.BACKLOG_FRAMES) == 0


def test_close_lets_go_of_lock_and_files(journal: Path) -> None:
    before = open_files()
    writer = open_writer(journal)
    keep(writer, "a")

    writer.close()
    writer.close()
    writer.counters.close()

    assert open_files() == before


def test_a_journal_deleted_under_a_living_relay_loses_no_later_frame(journal: Path) -> None:
    writer = open_writer(journal)
    keep(writer, "a")
    former = writer.directory
    assert former is not None
    shutil.rmtree(journal)

    keep(writer, "b", "c")

    assert read_ids(journal) == ["b", "c"]
    assert writer.directory not in (former, None)
    assert writer.directory is not None
    assert read_counters(writer.directory / "counters")[Counter.FINISHED_FRAMES] == 3
    assert not is_whole(writer.directory)  # its counters tell of more than stands there
    writer.close()
    writer.counters.close()
