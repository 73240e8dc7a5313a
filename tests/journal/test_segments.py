"""Directories, locks and files of the journal."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal import segments
from proxy.journal.segments import (
    SEGMENT_HEAD,
    new_writer_directory,
    pack_segment_head,
    read_segment_head,
    segment_numbers,
    segment_path,
    stored_bytes,
    writer_directories,
    writer_lives,
)

from .journals import open_files


def test_a_writer_lives_as_long_as_its_lock_is_held(journal: Path) -> None:
    directory, lock = new_writer_directory(journal, worker=3)
    assert writer_lives(directory)
    assert writer_lives(directory)  # asking takes nothing away

    os.close(lock)

    assert not writer_lives(directory)
    assert not writer_lives(journal / "0-1-1")


def test_asking_leaks_no_descriptor(journal: Path) -> None:
    directory, lock = new_writer_directory(journal, worker=0)
    before = open_files()

    for _ in range(20):
        writer_lives(directory)

    assert open_files() == before
    os.close(lock)


def test_only_the_owner_may_read_the_journal(journal: Path) -> None:
    directory, lock = new_writer_directory(journal, worker=0)
    os.close(lock)

    assert journal.stat().st_mode & 0o777 == 0o700
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "lock").stat().st_mode & 0o777 == 0o600


def test_directories_come_oldest_first_and_strangers_are_left_out(journal: Path) -> None:
    for name in ("1-00000000000000000002-9", "0-00000000000000000003-9", "2-00000000000000000001-9"):
        (journal / name).mkdir(parents=True)
    (journal / ".0-00000000000000000009-9").mkdir()
    (journal / "lost+found").mkdir()
    (journal / "a-file-here").write_bytes(b"")

    assert [path.name[0] for path in writer_directories(journal)] == ["2", "1", "0"]
    assert writer_directories(journal / "none") == []


def test_a_directory_that_cannot_be_made_leaves_nothing_behind(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk full for ten minutes is tried a thousand times."""

    def refuse(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    before = open_files()
    monkeypatch.setattr(segments.fcntl, "flock", refuse)

    for _ in range(3):
        with pytest.raises(OSError, match="full"):
            new_writer_directory(journal, worker=0)

    assert list(journal.iterdir()) == []
    assert open_files() == before


def test_segments_are_numbered_ascending_and_strangers_are_left_out(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        segment_path(tmp_path, number).write_bytes(b"x" * number)
    for name in ("x.segment", "²³.segment", "00000003.segment.bak", "counters"):
        (tmp_path / name).write_bytes(b"")

    assert segment_numbers(tmp_path) == [1, 2, 10]
    assert segment_numbers(tmp_path / "none") == []


def test_stored_bytes_are_those_of_all_lives_of_one_worker(journal: Path) -> None:
    for name, size in (("0-1-1", 5), ("0-2-2", 7), ("1-3-3", 100), ("10-4-4", 1000)):
        (journal / name).mkdir(parents=True)
        segment_path(journal / name, 1).write_bytes(b"x" * size)

    assert stored_bytes(journal, worker=0) == 12


def test_stored_bytes_bear_with_an_observer_that_deletes(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file was there when it was listed, and is gone when it is asked for its size."""
    (journal / "0-1-1").mkdir(parents=True)
    segment_path(journal / "0-1-1", 2).write_bytes(b"x" * 5)
    monkeypatch.setattr(segments, "segment_numbers", lambda _directory: [1, 2])

    assert stored_bytes(journal, worker=0) == 5


@given(st.integers(0, 2**32 - 1), st.integers(0, SEGMENT_HEAD.size * 8 - 1))
def test_a_flipped_bit_in_a_segments_head_does_not_lose_the_salt(salt: int, bit: int) -> None:
    head = bytearray(pack_segment_head(salt))
    assert read_segment_head(bytes(head)) == (salt, True)

    head[bit // 8] ^= 1 << bit % 8

    assert read_segment_head(bytes(head)) == (salt, False)
