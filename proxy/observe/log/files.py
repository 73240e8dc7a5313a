"""Log files: one for each level, rotated by size and by day, kept for as long as the settings say for that level.

    sightglass-info.log                      being written
    sightglass-info.20261125T000000.log      closed at that time, UTC

A level has a file of its own so that errors can outlive the lines of millions of good calls. Files are 0600.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from proxy.core.config import LogFile
from proxy.observe.log.line import Line
from proxy.observe.shipper import Send

LEVELS: Final[Mapping[int, str]] = {10: "debug", 20: "info", 30: "warning", 40: "error"}
_DAY_S: Final = 86400


def level_name(level: int) -> str:
    """The word of a level; between two it is the lower one."""
    return LEVELS[max((known for known in LEVELS if known <= level), default=10)]


class LevelFile:
    """The file of one level. Raises OSError on what the disk refuses; the next write tries anew."""

    def __init__(self, settings: LogFile, level: str, *, clock: Callable[[], float] = time.time) -> None:
        """clock: Unix time, for tests."""
        assert settings.directory is not None
        self._directory = Path(settings.directory)
        self._name = f"sightglass-{level}"
        self.path = self._directory / f"{self._name}.log"
        self._most = settings.max_bytes
        self._keep_bytes = settings.keep_bytes
        self._keep_s = getattr(settings, f"{level}_days") * _DAY_S
        self._clock = clock
        self._fd = -1
        self._size = 0
        self._day = 0

    def write(self, content: bytes) -> None:
        """Append whole lines; what was written in part when the disk refused is taken back."""
        self._open()
        if self._size and (self._size + len(content) > self._most or self._today() != self._day):
            self._rotate()
            self._open()
        view, before = memoryview(content), self._size
        try:
            while view:
                written = os.write(self._fd, view)
                self._size += written
                view = view[written:]
        except OSError:
            os.ftruncate(self._fd, before)
            self._size = before
            raise

    def _open(self) -> None:
        """Have the file open; again, when somebody moved or deleted it."""
        if self._fd >= 0:
            try:
                if self.path.stat().st_ino == os.fstat(self._fd).st_ino:
                    return
            except FileNotFoundError:
                pass
            self._close()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = os.fstat(self._fd)
        self._size = found.st_size
        self._day = int(found.st_mtime if found.st_size else self._clock()) // _DAY_S
        self._tidy()

    def _rotate(self) -> None:
        self._close()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._clock()))
        number, closed = 0, self._directory / f"{self._name}.{stamp}.log"
        while closed.exists():
            number += 1
            closed = self._directory / f"{self._name}.{stamp}-{number}.log"
        self.path.rename(closed)

    def _tidy(self) -> None:
        """Delete what is too old, and the oldest of what is too much."""
        left, now = self._keep_bytes, self._clock()
        closed = [(path.stat().st_mtime, path) for path in self._directory.glob(f"{self._name}.2*.log")]
        for modified, path in sorted(closed, reverse=True):
            left -= path.stat().st_size
            if left < 0 or now - modified > self._keep_s:
                path.unlink(missing_ok=True)

    def _close(self) -> None:
        os.close(self._fd)
        self._fd = -1

    def _today(self) -> int:
        return int(self._clock()) // _DAY_S


def to_files(settings: LogFile, *, clock: Callable[[], float] = time.time) -> Send[Line]:
    """Writes lines to the files of their levels. Raises OSError when the disk refuses."""
    files = {level: LevelFile(settings, level, clock=clock) for level in LEVELS.values()}

    def send(batch: list[Line]) -> str:
        for level, file in files.items():
            content = b"".join([line.text + b"\n" for line in batch if level_name(line.level) == level])
            if content:
                file.write(content)
        return ""

    return send
