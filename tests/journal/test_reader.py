"""Each frame once, over any restarts; files are deleted when they are read, and not before."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.journal import following, reader
from proxy.journal.counters import Counter
from proxy.journal.reader import JournalReader
from proxy.journal.segments import Position
from tests.work import calls_of

from .conftest import MakeWriter
from .journals import Observer, ids, keep, open_files, open_writer, segments

NAMES = [f"{number:03d}" for number in range(60)]


@settings(max_examples=30)
@given(st.data())
def test_each_frame_is_seen_once_in_order_whatever_restarts(data: st.DataObject) -> None:
    """Writers append, roll and end; the observer reads, commits or not, releases or not, and restarts at any point."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal"
        observer = Observer(journal)
        writers = [open_writer(journal, worker=worker, segment_bytes=4096) for worker in range(2)]
        written: list[list[str]] = [[], []]
        for step in range(data.draw(st.integers(1, 15))):
            worker = data.draw(st.integers(0, 1))
            for number in range(data.draw(st.integers(0, 25))):
                written[worker].append(f"{worker}/{step}/{number}")
                keep(writers[worker], written[worker][-1])
            for action in data.draw(
                st.lists(st.sampled_from(["look", "uncommitted", "release", "restart"]), max_size=4)
            ):
                if action == "restart":
                    observer.restart()
                elif action == "uncommitted":
                    observer.look(most=7, commit=False)
                    observer.restart()
                else:
                    reading = observer.look(most=data.draw(st.integers(1, 40)))
                    if action == "release":
                        observer.reader.release(reading)
        for writer in writers:
            writer.close()
        while len(observer.ended) < 2:
            observer.look(most=10)
        observer.reader.release(observer.look())

        for worker in range(2):
            assert [name for name in observer.seen if name.startswith(f"{worker}/")] == written[worker]
        assert list(journal.iterdir()) == []
        observer.reader.close()


def test_at_most_as_many_as_asked_for_from_each_writer(make_writer: MakeWriter, observer: Observer) -> None:
    keep(make_writer(worker=0), *NAMES[:5])
    keep(make_writer(worker=1), *NAMES[5:7])

    readings = [observer.look(most=2) for _ in range(4)]

    assert [ids(reading) for reading in readings] == [["000", "001", "005", "006"], ["002", "003"], ["004"], []]
    assert [reading.more for reading in readings] == [True, True, False, False]


def test_a_journal_that_appears_later_is_read(make_writer: MakeWriter, observer: Observer) -> None:
    reading = observer.look()
    assert (reading.frames, reading.positions, reading.ended, reading.more) == ([], {}, [], False)
    assert observer.reader.counters() == {"gone": {}}

    keep(make_writer(), "a")
    observer.look()

    assert observer.seen == ["a"]


def test_a_frame_longer_than_a_read_is_read(make_writer: MakeWriter, observer: Observer) -> None:
    writer = make_writer()
    keep(writer, "a")
    keep(writer, "big", body=b"x" * (3 * following._READ_BYTES))
    keep(writer, "c")

    while observer.look(most=1).more:
        pass

    assert observer.seen == ["a", "big", "c"]


def test_a_writer_has_ended_only_when_all_is_read(make_writer: MakeWriter, observer: Observer) -> None:
    writer = make_writer(segment_bytes=4096)
    keep(writer, *NAMES)
    assert writer.directory is not None
    assert len(segments(writer)) > 2
    observer.look(most=10)
    writer.close()

    while not observer.ended:
        assert len(observer.seen) < len(NAMES) + 1
        observer.look(most=10)

    assert observer.seen == NAMES
    assert observer.ended == [writer.directory.name]
    assert observer.look().ended == [writer.directory.name]  # said until it is released


def test_release_deletes_what_was_read_and_nothing_else(make_writer: MakeWriter, observer: Observer) -> None:
    writer = make_writer(segment_bytes=4096)
    keep(writer, *NAMES)
    before = segments(writer)

    reading = observer.look(most=30)
    later = observer.look(most=1)
    observer.reader.release(reading)

    position = reading.positions[later.frames[0][0]]
    assert 1 < position.segment < len(before)
    assert segments(writer) == before[position.segment - 1 :]
    keep(writer, "last")
    observer.look()
    assert observer.seen == [*NAMES, "last"]


def test_counters_of_deleted_writers_are_kept(make_writer: MakeWriter, observer: Observer, journal: Path) -> None:
    first, second = make_writer(), make_writer()
    for writer in (first, second):
        writer.counters.words[Counter.CALLS] += 2
        keep(writer, "a")
    first.close()

    observer.reader.release(observer.look())

    assert second.directory is not None
    counters = observer.reader.counters()
    assert set(counters) == {second.directory.name, "gone"}
    assert counters["gone"][Counter.CALLS] == 2
    assert [path.name for path in journal.iterdir()] == [second.directory.name]


def test_a_directory_that_cannot_be_deleted_is_not_read_anew(
    make_writer: MakeWriter, observer: Observer, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger forgets the position of a released writer, so all would be read once more, for ever."""
    writer = make_writer()
    keep(writer, "a")
    writer.close()
    monkeypatch.setattr(reader.shutil, "rmtree", lambda path, ignore_errors: None)

    observer.reader.release(observer.look())
    assert observer.look() == ([], {}, [], False)
    assert set(observer.reader.counters()) == {"gone"}
    monkeypatch.undo()
    observer.reader.release(observer.look())

    assert observer.seen == ["a"]
    assert list(journal.iterdir()) == []


def test_a_directory_deleted_under_its_feet_has_ended(make_writer: MakeWriter, observer: Observer) -> None:
    writer, other = make_writer(), make_writer(worker=1)
    keep(writer, "a")
    keep(other, "b")
    observer.look()
    before = open_files()
    assert writer.directory is not None
    shutil.rmtree(writer.directory)

    reading = observer.look()
    observer.reader.release(reading)

    assert reading.ended == [writer.directory.name]
    assert open_files() == before - 1  # a file that is open keeps its disk space
    assert observer.look().ended == []


def test_a_journal_that_is_away_as_a_whole_ends_nobody(
    make_writer: MakeWriter, observer: Observer, journal: Path
) -> None:
    """A volume that is not mounted comes back."""
    keep(make_writer(), "a")
    observer.look()
    journal.rename(journal.with_name("away"))

    assert observer.look().ended == []
    journal.with_name("away").rename(journal)
    observer.look()

    assert observer.seen == ["a"]


def test_too_many_open_files_skip_no_segment(
    make_writer: MakeWriter, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = make_writer()
    keep(writer, "a")
    writer.close()
    healthy = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith(".segment"):
            raise OSError(errno.EMFILE, "too many open files")
        return healthy(path, flags, mode)

    monkeypatch.setattr(following.os, "open", refuse)
    assert observer.look().ended == []
    assert observer.reader.read_errors == 1
    monkeypatch.undo()
    observer.look()

    assert observer.seen == ["a"]
    assert len(observer.ended) == 1


def test_one_writers_unreadable_journal_holds_up_no_other(make_writer: MakeWriter, observer: Observer) -> None:
    sick = make_writer()
    keep(sick, "a")
    segment = segments(sick)[0]
    segment.unlink()
    segment.mkdir()  # reading it is an error
    keep(make_writer(worker=1), "b")

    observer.look()

    assert observer.seen == ["b"]
    assert observer.reader.read_errors == 1


def test_a_position_behind_the_end_waits(make_writer: MakeWriter, journal: Path) -> None:
    """After power loss the ledger may be ahead of the journal."""
    writer = make_writer()
    keep(writer, "a")
    assert writer.directory is not None
    ahead = JournalReader(journal, {writer.directory.name: Position(1, 10**9)})

    assert ahead.read(most=10).frames == []
    assert not ahead.read(most=10).more
    ahead.close()


def test_missing_segments_are_passed_over(make_writer: MakeWriter, observer: Observer) -> None:
    writer = make_writer(segment_bytes=4096)
    keep(writer, *NAMES)
    segments(writer)[1].unlink()

    observer.look()

    assert observer.seen == sorted(observer.seen)
    assert observer.seen[0] == NAMES[0]
    assert observer.seen[-1] == NAMES[-1]


def test_descriptors_do_not_leak(journal: Path, observer: Observer) -> None:
    before = open_files()
    for _ in range(10):
        writer = open_writer(journal, segment_bytes=4096)
        keep(writer, *NAMES)
        writer.close()
        writer.counters.close()
        observer.reader.release(observer.look())
        observer.restart()

    assert open_files() == before
    assert len(observer.seen) == 10 * len(NAMES)


def test_an_idle_look_costs_little(make_writer: MakeWriter, observer: Observer) -> None:
    """It does not go round in circles: nothing new is one look at the directory, the lock and the file."""
    keep(make_writer(), "a")
    observer.look()

    assert calls_of(observer.look) < 200
