"""Files of the log: by level, by size, by day, and gone when their time is over."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from proxy.core.config import LogFile
from proxy.observe.log.files import level_name, to_files
from proxy.observe.log.line import Line

DAY_S = 86400
NOON = 1_795_219_200.0 // DAY_S * DAY_S + DAY_S / 2


def line(text: str = "x", level: int = 20) -> Line:
    return Line(level, "2026-11-25T09:15:02.123456Z", "call", text.encode())


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_levels_have_files_of_their_own(tmp_path: Path) -> None:
    send = to_files(LogFile(directory=str(tmp_path / "log")))
    send([line("a"), line("b", 30), line("c", 40), line("d"), line("e", 50), line("f", 10)])

    assert names(tmp_path / "log") == [f"sightglass-{level}.log" for level in ("debug", "error", "info", "warning")]
    assert (tmp_path / "log" / "sightglass-info.log").read_text() == "a\nd\n"
    assert (tmp_path / "log" / "sightglass-error.log").read_text() == "c\ne\n"
    assert stat.S_IMODE((tmp_path / "log" / "sightglass-info.log").stat().st_mode) == 0o600


def test_a_file_that_is_long_enough_is_closed(tmp_path: Path) -> None:
    clock = Clock()
    send = to_files(LogFile(directory=str(tmp_path), max_bytes=4096), clock=clock)
    for number in range(10):
        send([line(f"{number}" * 1000)])

    closed = [name for name in names(tmp_path) if name != "sightglass-info.log"]
    assert len(closed) == 2
    assert all((tmp_path / name).stat().st_size <= 4096 for name in names(tmp_path))
    whole = b"".join((tmp_path / name).read_bytes() for name in [*sorted(closed, key=len), "sightglass-info.log"])
    assert [part[:1] for part in whole.split()] == [b"%d" % number for number in range(10)]


def test_a_new_day_begins_a_new_file(tmp_path: Path) -> None:
    clock = Clock()
    send = to_files(LogFile(directory=str(tmp_path)), clock=clock)
    send([line("a")])
    clock.now += DAY_S
    send([line("b")])

    assert len(names(tmp_path)) == 2
    assert (tmp_path / "sightglass-info.log").read_text() == "b\n"


def test_each_level_is_kept_for_its_own_time(tmp_path: Path) -> None:
    clock = Clock()
    settings = LogFile(directory=str(tmp_path), info_days=2, error_days=100)
    send = to_files(settings, clock=clock)
    for _ in range(6):
        send([line(), line(level=40)])
        for level in ("info", "error"):
            os.utime(tmp_path / f"sightglass-{level}.log", (clock.now, clock.now))
        clock.now += DAY_S

    assert len([name for name in names(tmp_path) if "error" in name]) == 6
    assert len([name for name in names(tmp_path) if "info" in name]) <= 4


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    send = to_files(LogFile(directory=str(tmp_path), max_bytes=4096, keep_bytes=8192), clock=Clock())
    for number in range(40):
        send([line(f"{number:02d}" * 500)])

    closed = [path for path in tmp_path.iterdir() if path.name != "sightglass-info.log"]
    assert sum(path.stat().st_size for path in closed) <= 8192 + 4096
    assert (tmp_path / "sightglass-info.log").read_text().startswith(("36", "37", "38", "39"))


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    send = to_files(LogFile(directory=str(tmp_path)))
    send([line("a")])
    (tmp_path / "sightglass-info.log").rename(tmp_path / "moved")
    send([line("b")])

    assert (tmp_path / "moved").read_text() == "a\n"
    assert (tmp_path / "sightglass-info.log").read_text() == "b\n"


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send = to_files(LogFile(directory=str(tmp_path)))
    send([line("a")])
    write, left = os.write, [3]

    def full(fd: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = write(fd, bytes(data)[: left[0]])
        left[0] -= count
        return count

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        send([line("bbbbbb")])
    monkeypatch.setattr(os, "write", write)
    send([line("c")])

    assert (tmp_path / "sightglass-info.log").read_text() == "a\nc\n"


def test_what_another_process_left_is_gone_on_with(tmp_path: Path) -> None:
    to_files(LogFile(directory=str(tmp_path)))([line("a")])
    to_files(LogFile(directory=str(tmp_path)))([line("b")])

    assert (tmp_path / "sightglass-info.log").read_text() == "a\nb\n"


@pytest.mark.parametrize(("level", "name"), [(5, "debug"), (10, "debug"), (25, "info"), (30, "warning"), (50, "error")])
def test_words_of_levels(level: int, name: str) -> None:
    assert level_name(level) == name
