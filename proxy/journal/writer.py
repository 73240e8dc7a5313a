"""The relay's side of the journal: append frames, never raise, never wait for a sick disk.

    direct ──(write failed, or took longer than STALL_S)──▶ backlog: a thread writes, the relay only queues
      ▲                                                        │
      └────────(backlog empty and writes quick again)──────────┘

Direct: one writev into the page cache, so a frame is safe from kill -9 when append() returns. In backlog frames wait
in bounded memory; beyond the bound they are counted as lost by kind, and the calls they belonged to are named in a
Lost frame as soon as the disk takes frames again, so that they do not pass for interrupted.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from proxy.core.config import Journal as JournalSettings
from proxy.journal import frames
from proxy.journal.counters import Counter, Counters
from proxy.journal.segments import SEGMENT_HEAD, SEGMENT_MAGIC, new_writer_directory, segment_path, stored_bytes

# A page-cache write of a megabyte takes half a millisecond; this long means that the disk holds us up.
STALL_S: Final = 0.02
# Time between attempts while the disk refuses; also how long writes must be quick again before we trust it.
RETRY_S: Final = 0.5
# Names of lost calls that are kept for the Lost frame: 100,000 x ~90 bytes.
LOST_NAMES: Final = 100_000
# Linux takes at most 1024 buffers in one writev.
_IOV_MAX: Final = 1000

Entry = tuple[int, str, list[bytes]]  # kind, call id, buffers


class JournalWriter:
    """Appends the frames of one relay process. Called from its event loop only."""

    def __init__(self, journal: Path, *, worker: int, settings: JournalSettings) -> None:
        self._settings = settings
        self._journal, self._worker = journal, worker
        self.directory: Path | None = None
        self._lock_file = self._file = -1
        self._segment = 0
        self._written = 0  # bytes in the current segment
        self._elsewhere = 0  # bytes of this worker's other segments, as last looked
        self.salt = int.from_bytes(os.urandom(4), "little")
        self._guard = threading.Condition()
        self._backlog: deque[tuple[int, list[bytes], int]] | None = None
        self._backlog_bytes = 0
        self._lost_names: list[str] = []
        self._closing = False
        self._thread: threading.Thread | None = None
        try:
            self.directory, self._lock_file = new_writer_directory(journal, worker=worker)
        except OSError as error:
            self.counters = Counters(None)
            self._note_error(error)
        else:
            self.counters = Counters(self.directory / "counters")
        try:
            self._open_segment()
        except OSError as error:
            self._note_error(error)
            with self._guard:
                self._enter_backlog()

    def append(self, entries: list[Entry]) -> None:
        """Keep these frames, in order. On return each is in the file, or waits in memory, or is counted as lost."""
        if self._backlog is None and len(entries) > 1 and self._append_together(entries):
            return
        for kind, call_id, buffers in entries:
            self._append_one(kind, call_id, buffers)

    def _append_together(self, entries: list[Entry]) -> bool:
        """All frames in one write, when it is as simple as that. False: nothing was written."""
        buffers = [buffer for entry in entries for buffer in entry[2]]
        size = sum(map(len, buffers))
        fits = self._file >= 0 and self._written + size <= self._settings.segment_bytes and len(buffers) < _IOV_MAX
        if not fits or self._elsewhere + self._written + size > self._settings.max_bytes:
            return False
        began = time.monotonic()
        try:
            self._write(buffers, size)
        except OSError:
            return False  # one by one they meet it again, and it is counted
        words = self.counters.words
        for kind, _call_id, _buffers in entries:
            words[Counter.FINISHED_FRAMES if kind == frames.FINISHED else Counter.STARTED_FRAMES] += 1
        self._note_pace(time.monotonic() - began)
        return True

    def _append_one(self, kind: int, call_id: str, buffers: list[bytes]) -> None:
        size = sum(map(len, buffers))
        if self._backlog is not None:
            with self._guard:
                # The thread may have left the backlog in this very moment; then its queue is taken up again.
                self._enter_backlog()
                self._queue(kind, call_id, buffers, size)
            return
        began = time.monotonic()
        try:
            self._write(buffers, size)
        except OSError as error:
            self._note_error(error)
            with self._guard:
                self._enter_backlog()
                self._queue(kind, call_id, buffers, size)
            return
        self._count_kept(kind)
        self._note_pace(time.monotonic() - began)

    def close(self, *, deadline_s: float = 5.0) -> None:
        """Write what waits, for at most `deadline_s`, and let go of the files."""
        with self._guard:
            self._closing = True
            self._guard.notify()
        if self._thread is not None:
            self._thread.join(deadline_s)
            if self._thread.is_alive():
                return  # it holds the files; the process ends anyway
        for kind, _buffers, _size in self._backlog or ():
            self._count_lost(kind)
        for file in (self._file, self._lock_file):
            if file >= 0:
                os.close(file)
        self._file = self._lock_file = -1
        self.counters.close()

    # -- writing, by the event loop when direct and by the thread when not -----------------------------------

    def _write(self, buffers: list[bytes], size: int) -> None:
        """One frame into the current segment, whole or not at all. Raises OSError."""
        full = self._written > SEGMENT_HEAD.size and self._written + size > self._settings.segment_bytes
        if self._file < 0 or full:
            self._open_segment()
        if self._elsewhere + self._written + size > self._settings.max_bytes:
            self._elsewhere = stored_bytes(self._journal, worker=self._worker) - self._written
            if self._elsewhere + self._written + size > self._settings.max_bytes:
                raise OSError(errno.EDQUOT, "journal.max_bytes reached")
        try:
            written = os.writev(self._file, buffers)
            if written == size and self._settings.fsync:
                os.fdatasync(self._file)
        except OSError:
            self._cut_back()
            raise
        if written != size:
            self._cut_back()
            raise OSError(errno.ENOSPC, "short write")
        self._written += size

    def _cut_back(self) -> None:
        """Take a torn frame off the end; when even that fails, the segment ends here and the reader skips the rest."""
        try:
            os.ftruncate(self._file, self._written)
        except OSError:
            os.close(self._file)
            self._file = -1

    def _open_segment(self) -> None:
        if self.directory is None:
            self.directory, self._lock_file = new_writer_directory(self._journal, worker=self._worker)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._elsewhere = stored_bytes(self._journal, worker=self._worker)
        path = segment_path(self.directory, self._segment + 1)
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._segment += 1
        head = SEGMENT_HEAD.pack(SEGMENT_MAGIC, self.salt)
        self._written = 0
        if os.write(self._file, head) != len(head):
            os.close(self._file)
            self._file = -1
            raise OSError(errno.ENOSPC, "short write")
        self._written = len(head)

    # -- backlog: all below under self._guard ----------------------------------------------------------------

    def _enter_backlog(self) -> None:
        if self._backlog is not None:
            return
        self._backlog = deque()
        self.counters.words[Counter.WRITE_STATE] = 1
        self._thread = threading.Thread(target=self._write_backlog, name="journal backlog", daemon=True)
        self._thread.start()

    def _queue(self, kind: int, call_id: str, buffers: list[bytes], size: int) -> None:
        assert self._backlog is not None
        if self._backlog_bytes + size > self._settings.backlog_bytes:
            self._count_lost(kind)
            if kind == frames.FINISHED and len(self._lost_names) < LOST_NAMES:
                self._lost_names.append(call_id)
            return
        self._backlog.append((kind, buffers, size))
        self._backlog_bytes += size
        self._show_backlog()
        self._guard.notify()

    def _show_backlog(self) -> None:
        words = self.counters.words
        words[Counter.BACKLOG_FRAMES] = len(self._backlog or ())
        words[Counter.BACKLOG_BYTES] = self._backlog_bytes

    def _write_backlog(self) -> None:
        """The thread: write frames in order until none is left and the disk has been quick for a while."""
        quick_since: float | None = None
        while True:
            with self._guard:
                backlog = self._backlog
                assert backlog is not None
                if not backlog and not self._lost_names:
                    calm = quick_since is not None and time.monotonic() - quick_since >= RETRY_S
                    if calm or self._closing:
                        self._backlog = None
                        self.counters.words[Counter.WRITE_STATE] = 0
                        return
                    quick_since = quick_since if quick_since is not None else time.monotonic()
                    self._guard.wait(RETRY_S)
                    continue
                entry = backlog[0] if backlog else self._lost_entry()
            began = time.monotonic()
            try:
                self._write(entry[1], sum(map(len, entry[1])))
            except OSError as error:
                self._note_error(error)
                quick_since = None
                with self._guard:
                    if self._closing:
                        return
                time.sleep(RETRY_S)
                continue
            if time.monotonic() - began > STALL_S:
                quick_since = None
            with self._guard:
                if entry[0] == frames.LOST:
                    del self._lost_names[: entry[2]]
                else:
                    backlog.popleft()
                    self._backlog_bytes -= entry[2]
                    self._count_kept(entry[0])
                    self._show_backlog()

    def _lost_entry(self) -> tuple[int, list[bytes], int]:
        """A Lost frame of the names so far; its third part is how many they are."""
        names = tuple(self._lost_names)
        return (
            frames.LOST,
            frames.encode(frames.LOST, msgspec.json.encode(frames.Lost(call_ids=names)), self.salt),
            len(names),
        )

    def _note_pace(self, took_s: float) -> None:
        """A write that held the event loop up is the last one that does."""
        if took_s > STALL_S and not self._settings.fsync:
            self.counters.words[Counter.WRITE_STALLS] += 1
            with self._guard:
                self._enter_backlog()

    # -- counting --------------------------------------------------------------------------------------------

    def _count_kept(self, kind: int) -> None:
        self.counters.words[Counter.FINISHED_FRAMES if kind == frames.FINISHED else Counter.STARTED_FRAMES] += 1

    def _count_lost(self, kind: int) -> None:
        self.counters.words[Counter.FINISHED_LOST if kind == frames.FINISHED else Counter.STARTED_LOST] += 1

    def _note_error(self, error: OSError) -> None:
        self.counters.words[Counter.WRITE_ERRORS] += 1
        self.counters.words[Counter.LAST_ERRNO] = error.errno or 0
