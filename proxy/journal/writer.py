"""The relay's side of the journal: append frames, never raise, never wait for a sick disk.

    direct ──(write failed, or held us up for STALL_S)──▶ backlog: a thread writes, the relay only queues
      ▲                                                      │
      └────────(backlog empty and writes quick again)────────┘

Direct: one writev into the page cache, so a frame is safe from kill -9 when append() returns. In backlog frames wait
in bounded memory; see backlog.py.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from resource import RUSAGE_THREAD, getrusage
from typing import Final

from proxy.core.config import Journal as JournalSettings
from proxy.journal import frames
from proxy.journal.appending import SegmentAppender
from proxy.journal.backlog import Backlog, Entry
from proxy.journal.counters import Counter, Counters

__all__ = ["Entry", "JournalWriter"]

# A page-cache write of a megabyte takes half a millisecond; this long means that the disk holds us up.
STALL_S: Final = 0.02
# With fsync each write waits for the disk, as was asked for; sick is one that needs this long.
FSYNC_STALL_S: Final = 0.5

_STARTED: Final = Counter.STARTED_FRAMES.value  # plain numbers: on the way of each call
_FINISHED: Final = Counter.FINISHED_FRAMES.value


class JournalWriter:
    """Appends the frames of one relay process. Called from its event loop only."""

    def __init__(self, journal: Path, *, worker: int, settings: JournalSettings) -> None:
        self.salt = int.from_bytes(os.urandom(4), "little")
        self._stall_s = FSYNC_STALL_S if settings.fsync else STALL_S
        self._appender = SegmentAppender(journal, worker=worker, settings=settings, salt=self.salt)
        refused: OSError | None = None
        try:
            self._appender.open()
        except OSError as error:
            refused = error
        self.counters = Counters(self.directory / "counters" if self.directory is not None else None)
        self._shown = self.directory  # where the counters are
        self._backlog = Backlog(
            self._appender,
            self.counters,
            salt=self.salt,
            most_bytes=settings.backlog_bytes,
            stall_s=self._stall_s,
        )
        if refused is not None:
            self._note_error(refused)
            self._backlog.begin()

    @property
    def directory(self) -> Path | None:
        """Where the frames go; None while it could not be made."""
        return self._appender.directory

    def append(self, entries: list[Entry]) -> None:
        """Keep these frames, in order. On return each is in the file, or waits in memory, or is counted as lost."""
        if entries and (self._backlog.active or not self._write(entries)):
            self._backlog.add(entries)

    def close(self, *, deadline_s: float = 5.0) -> None:
        """Write what waits, for at most `deadline_s`, and let go of the files. Frames that come later are lost.

        The counters stay mapped: connections that are closed after this still count.
        """
        if self._backlog.close(deadline_s=deadline_s):
            self._appender.close()

    def _write(self, entries: list[Entry]) -> bool:
        """All frames in one write. False: none of them was written."""
        buffers = entries[0][2] if len(entries) == 1 else [buffer for entry in entries for buffer in entry[2]]
        size = sum(map(len, buffers))
        waits, began = getrusage(RUSAGE_THREAD).ru_nvcsw, time.monotonic()
        try:
            self._appender.write(buffers, size)
        except OSError as error:
            self._note_error(error)
            return False
        took_s = time.monotonic() - began
        words = self.counters.words
        for kind, _call_id, _buffers in entries:
            words[_FINISHED if kind == frames.FINISHED else _STARTED] += 1
        # A busy processor may take us off in mid-write. That is no fault of the disk: that one makes us wait.
        if took_s > self._stall_s and getrusage(RUSAGE_THREAD).ru_nvcsw != waits:
            words[Counter.WRITE_STALLS] += 1
            self._backlog.begin(stalled=True)
        if self.directory is not self._shown and self.directory is not None:  # the former one was deleted
            self._shown = self.directory
            self.counters.publish(self.directory / "counters")
        self.counters.mirror()
        return True

    def _note_error(self, error: OSError) -> None:
        self.counters.words[Counter.WRITE_ERRORS] += 1
        self.counters.words[Counter.LAST_ERRNO] = error.errno or 0
