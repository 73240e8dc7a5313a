"""Counters that outlive their process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from proxy.journal import counters
from proxy.journal.counters import Counter, Counters, read_counters

from .journals import open_files


def test_another_process_reads_what_was_counted(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    counted = Counters(path)
    counted.words[Counter.CALLS] += 3
    counted.words[Counter.UNFRAMED] = 2**63

    read = read_counters(path)

    assert read[Counter.CALLS] == 3
    assert read[Counter.UNFRAMED] == 2**63
    assert set(read) == set(Counter)
    assert path.stat().st_mode & 0o777 == 0o600
    counted.close()


def test_counts_outlive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    script = (
        "import os, sys; from pathlib import Path; from proxy.journal.counters import Counter, Counters\n"
        "c = Counters(Path(sys.argv[1])); c.words[Counter.ENDED] = 41; c.words[Counter.ENDED] += 1\n"
        "os.kill(os.getpid(), 9)"
    )

    subprocess.run([sys.executable, "-c", script, str(path)], cwd=Path(counters.__file__).parents[2], check=False)

    assert read_counters(path)[Counter.ENDED] == 42


@pytest.mark.parametrize(
    ("content", "known"), [(b"", 0), (b"\1\0\0", 0), (b"\1" + bytes(7), 1), (bytes(8 * 500), len(Counter))]
)
def test_files_of_other_sizes_are_read_as_far_as_they_go(tmp_path: Path, content: bytes, known: int) -> None:
    (tmp_path / "counters").write_bytes(content)

    assert len(read_counters(tmp_path / "counters")) == known
    assert read_counters(tmp_path / "none") == {}


def test_without_a_file_the_words_live_in_memory(tmp_path: Path) -> None:
    for path in (None, tmp_path / "none" / "counters"):
        counted = Counters(path)
        counted.words[Counter.CALLS] += 1
        assert counted.words[Counter.CALLS] == 1
        counted.close()


def test_a_file_that_came_later_shows_the_words_that_others_hold_on_to(tmp_path: Path) -> None:
    counted = Counters(tmp_path / "late" / "counters")
    words = counted.words
    words[Counter.CALLS] = 5
    (tmp_path / "late").mkdir()

    counted.publish(tmp_path / "late" / "counters")
    assert read_counters(tmp_path / "late" / "counters")[Counter.CALLS] == 5
    words[Counter.CALLS] = 6
    counted.mirror()

    assert read_counters(tmp_path / "late" / "counters")[Counter.CALLS] == 6
    counted.close()


def test_publishing_where_the_words_are_already_changes_nothing(tmp_path: Path) -> None:
    counted = Counters(tmp_path / "counters")
    before = open_files()

    counted.publish(tmp_path / "counters")
    counted.words[Counter.CALLS] = 5

    assert read_counters(tmp_path / "counters")[Counter.CALLS] == 5
    assert open_files() == before
    counted.close()


def test_a_disk_without_room_for_a_page_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by SIGBUS at the first count."""

    def refuse(*_args: object) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(counters.os, "posix_fallocate", refuse)
    counted = Counters(tmp_path / "counters")
    counted.words[Counter.CALLS] += 1

    assert read_counters(tmp_path / "counters") == {}
    counted.close()
