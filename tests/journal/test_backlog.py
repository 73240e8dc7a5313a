"""Waiting frames: in bounded memory, in order; what does not fit is counted, and named once the disk is well."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from proxy.journal import backlog
from proxy.journal.counters import Counter

from .conftest import MakeWriter
from .disks import Disk
from .journals import finished_entry, keep, read_ids, started_entry, wait_until
from .test_writer import count, is_direct

pytestmark = pytest.mark.usefixtures("quick_retry")


def test_beyond_the_bound_frames_are_counted_by_kind_and_named(
    make_writer: MakeWriter, disk: Disk, journal: Path
) -> None:
    """The lost frame comes behind the started frames of the calls that it names: else they would stay open."""
    writer = make_writer(backlog_bytes=3000)
    disk.errno = errno.ENOSPC
    names = [f"{number:02d}" for number in range(30)]
    for name in names:
        writer.append([started_entry(name, writer.salt)])
    for name in names:
        writer.append([finished_entry(name, writer.salt)])

    kept = count(writer, Counter.BACKLOG_FRAMES)
    assert 0 < count(writer, Counter.BACKLOG_BYTES) <= 3000
    assert count(writer, Counter.STARTED_LOST) == 30 - kept
    assert count(writer, Counter.FINISHED_LOST) == 30
    disk.errno = 0
    wait_until(lambda: is_direct(writer))

    assert read_ids(journal) == [*names[:kept], " ".join(("lost", *names))]


def test_more_names_than_fit_into_one_lost_frame(make_writer: MakeWriter, disk: Disk, journal: Path) -> None:
    writer = make_writer(backlog_bytes=0, max_bytes=16 * 1024, segment_bytes=4096)
    disk.errno = errno.ENOSPC
    names = [f"{number:032d}" for number in range(100)]
    keep(writer, *names)
    disk.errno = 0
    wait_until(lambda: is_direct(writer))

    found = read_ids(journal)
    assert len(found) > 1
    assert [name for line in found for name in line.split() if name != "lost"] == names


def test_names_are_bounded_too(make_writer: MakeWriter, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LOST_NAMES", 10)
    writer = make_writer(backlog_bytes=0)
    disk.errno = errno.ENOSPC
    keep(writer, *map(str, range(50)))

    assert len(writer._backlog._lost_names) == 10
    assert count(writer, Counter.FINISHED_LOST) == 50


def test_waiting_frames_go_in_one_write(make_writer: MakeWriter, disk: Disk, journal: Path) -> None:
    """With a second for each write, one frame a write would never catch up."""
    writer = make_writer(segment_bytes=1024 * 1024)
    disk.held = threading.Event()
    disk.errno = errno.EIO
    threading.Timer(0.05, disk.held.set).start()
    keep(writer, "a")
    keep(writer, *(f"{number:03d}" for number in range(200)))
    disk.errno = 0
    writes = len(disk.threads)
    wait_until(lambda: not count(writer, Counter.BACKLOG_FRAMES))

    assert len(disk.threads) - writes <= 8
    assert read_ids(journal) == ["a", *(f"{number:03d}" for number in range(200))]


def test_a_torn_write_leaves_nothing_in_the_file(make_writer: MakeWriter, disk: Disk, journal: Path) -> None:
    """At each length that a full disk may still take."""
    writer = make_writer()
    keep(writer, "a")
    expected = ["a"]
    size = len(b"".join(finished_entry("100", writer.salt)[2]))
    for room in range(1, 400, 23):
        disk.room = room
        keep(writer, f"{room:03d}")
        expected.append(f"{room:03d}")
        assert read_ids(journal) == (expected[:-1] if room < size else expected)
        disk.room = None
        wait_until(lambda: is_direct(writer))

    assert read_ids(journal) == expected


def test_a_disk_is_trusted_only_after_a_quick_write(make_writer: MakeWriter, disk: Disk) -> None:
    """With a call every second or so, an empty backlog says nothing; the next call would be held up again."""
    writer = make_writer()
    disk.delay_s = 0.04
    keep(writer, "a")

    time.sleep(0.3)
    assert not is_direct(writer)
    assert disk.threads.count("MainThread") == 1
    disk.delay_s = 0
    wait_until(lambda: is_direct(writer))


def test_a_disk_that_stalls_again_is_trusted_later(make_writer: MakeWriter, disk: Disk) -> None:
    writer = make_writer()
    calm_s = []
    for _ in range(4):
        disk.delay_s = 0.03
        keep(writer, "a")
        disk.delay_s = 0
        wait_until(lambda: is_direct(writer))
        calm_s.append(writer._backlog._calm_s)

    assert calm_s == [0.02, 0.04, 0.08, 0.16]


def test_a_frame_that_can_never_fit_does_not_block_the_others(make_writer: MakeWriter, journal: Path) -> None:
    """It is longer than the whole journal may be."""
    writer = make_writer(max_bytes=8192, segment_bytes=4096)
    keep(writer, "huge", body=b"x" * 9000)
    keep(writer, "b")
    wait_until(lambda: is_direct(writer))

    assert sorted(read_ids(journal)) == ["b", "lost huge"]
    assert count(writer, Counter.FINISHED_LOST) == 1


def test_close_during_a_stall_counts_what_is_not_in_hand(make_writer: MakeWriter, disk: Disk, journal: Path) -> None:
    writer = make_writer()
    disk.errno = errno.EIO
    keep(writer, "a")
    disk.held = threading.Event()
    wait_until(lambda: disk.threads.count("journal backlog") > 0 and writer._backlog._in_hand == 1)
    writer.append([started_entry("b", writer.salt), finished_entry("b", writer.salt)])

    writer.close(deadline_s=0.1)

    assert count(writer, Counter.STARTED_LOST) == 1
    assert count(writer, Counter.FINISHED_LOST) == 1
    assert count(writer, Counter.BACKLOG_FRAMES) == 1
    disk.errno = 0
    disk.held.set()
    wait_until(lambda: not count(writer, Counter.BACKLOG_FRAMES))
    assert read_ids(journal) == ["a"]
