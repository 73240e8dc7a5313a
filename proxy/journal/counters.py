"""Counters that a relay shares with the observer through a small mapped file, whatever becomes of the relay.

Mapped pages outlive kill -9 and need no free disk space once they are there, so that losses are told even when the
journal cannot be written. One 64-bit word each, written by one process only.
"""

from __future__ import annotations

import enum
import mmap
import os
from pathlib import Path
from typing import Final

_BYTES: Final = 4096


class Counter(enum.IntEnum):
    """Index of each word. New ones go to the end: a file may be of an older version."""

    CALLS = 0  # calls accepted
    ENDED = 1  # calls whose end was reached, however
    STARTED_FRAMES = 2
    FINISHED_FRAMES = 3
    STARTED_LOST = 4  # frames that could not be kept, by kind
    FINISHED_LOST = 5
    BACKLOG_FRAMES = 6  # frames waiting in memory
    BACKLOG_BYTES = 7
    WRITE_ERRORS = 8
    WRITE_STALLS = 9
    WRITE_STATE = 10  # 0 direct, 1 through the backlog: the disk stalls or refuses
    LAST_ERRNO = 11
    CLIENTS = 12  # open client connections
    UPSTREAM_BUSY = 13
    UPSTREAM_IDLE = 14
    DRAINING = 15
    RETRIES = 16  # requests repeated on a fresh connection
    UNFRAMED = 17  # requests refused before they were a call (malformed)
    CONNECTIONS_REFUSED = 18  # closed without a word, far beyond the limits
    CLIENTS_STALLED = 19  # cut off, as they took nothing of their answer


class Counters:
    """The words of one relay. `words[Counter.CALLS] += 1` is all it takes."""

    def __init__(self, path: Path | None) -> None:
        """Map the file, made if need be; without one (or when it cannot be made) the words live in memory only."""
        mapped = _map_file(path) if path is not None else None
        self._path = path if mapped is not None else None
        self._map = mapped if mapped is not None else mmap.mmap(-1, _BYTES)
        self._mirror: mmap.mmap | None = None
        self.words = memoryview(self._map).cast("Q")

    def publish(self, path: Path) -> None:
        """Show the words in that file too, unless that is where they are: it could not be made before.

        Others hold on to `words`, so these stay where they are; mirror() copies them.
        """
        if path == self._path:
            return
        mapped = _map_file(path)
        if mapped is not None:
            self._path, self._mirror = path, mapped  # a former one is not closed: the other thread may be at it
            self.mirror()

    def mirror(self) -> None:
        """Bring the file up to date, if the words do not live in it."""
        if self._mirror is not None:
            self._mirror[:] = self.words.cast("B")

    def close(self) -> None:
        """Give the mappings back."""
        self.words.release()
        self._map.close()
        if self._mirror is not None:
            self._mirror.close()


def read_counters(path: Path) -> dict[Counter, int]:
    """All words as they are now; empty when there is no such file."""
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    words = memoryview(content[: len(content) // 8 * 8]).cast("Q")
    return {counter: words[counter] for counter in Counter if counter < len(words)}


def _map_file(path: Path) -> mmap.mmap | None:
    try:
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        # Real blocks, not a hole: a hole would need disk space at the first write and kill us with SIGBUS.
        os.posix_fallocate(file, 0, _BYTES)
        return mmap.mmap(file, _BYTES)
    except OSError:
        return None
    finally:
        os.close(file)
