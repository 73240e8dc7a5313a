"""Bytes into the segments of one relay's life: whole or not at all, within the bound.

Raises OSError and waits for the disk. One thread at a time: the event loop's when direct, the backlog's when not.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from proxy.core.config import Journal as JournalSettings
from proxy.journal.frames import FRAME_LIMIT
from proxy.journal.segments import (
    SEGMENT_HEAD,
    new_writer_directory,
    pack_segment_head,
    segment_path,
    stored_bytes,
)

# Linux takes at most 1024 buffers in one writev.
_IOV_MAX: Final = 1000
# The observer deletes whole segments only, never the last one: several have to fit into the bound.
_SEGMENTS_IN_BOUND: Final = 4


class SegmentAppender:
    """Appends to the current segment and begins the next one in time."""

    def __init__(self, journal: Path, *, worker: int, settings: JournalSettings, salt: int) -> None:
        self.directory: Path | None = None
        self.segment_bytes = min(settings.segment_bytes, settings.max_bytes // _SEGMENTS_IN_BOUND)
        self.longest = min(settings.max_bytes - SEGMENT_HEAD.size, FRAME_LIMIT)  # a longer frame will never fit
        self._journal, self._worker = journal, worker
        self._max_bytes, self._fsync = settings.max_bytes, settings.fsync
        self._head = pack_segment_head(salt)
        self._lock_file = self._file = -1
        self._segment = 0
        self._written = 0  # bytes in the current segment
        self._elsewhere = 0  # bytes of this worker's other segments, as last looked

    def open(self) -> None:
        """Make directory, lock and first segment. Raises OSError; write() tries again."""
        self._open_segment()

    def write(self, buffers: Sequence[bytes], size: int) -> None:
        """These `size` bytes into one segment, whole or not at all. Raises OSError."""
        self._put(buffers, size)
        if not os.fstat(self._file).st_nlink:  # somebody deleted it: nobody would ever read what is written there
            self._close_file()
            self._put(buffers, size)

    def _put(self, buffers: Sequence[bytes], size: int) -> None:
        end = self._written + size
        if self._file < 0 or (end > self.segment_bytes and self._has_frames):
            self._open_segment()
            end = self._written + size
        if self._elsewhere + end > self._max_bytes:
            self._elsewhere = self._look_elsewhere() - self._written
            if self._elsewhere + end > self._max_bytes:
                raise OSError(errno.EDQUOT, "journal.max_bytes reached")
        if len(buffers) > _IOV_MAX:
            buffers = [b"".join(buffers)]
        try:
            if os.writev(self._file, buffers) != size:
                raise OSError(errno.ENOSPC, "short write")
            if self._fsync:
                os.fdatasync(self._file)
        except OSError:
            self._cut_back()
            raise
        self._written = end

    def close(self) -> None:
        """Let go of segment and lock."""
        self._close_file()
        self._unlock()

    @property
    def _has_frames(self) -> bool:
        return self._written > SEGMENT_HEAD.size

    def _cut_back(self) -> None:
        """Take a torn frame off the end; if that fails too, the reader skips it.

        The segment ends here: the fault may be this file's own (bad blocks, a failed fsync, a limit of size).
        """
        try:
            os.ftruncate(self._file, self._written)
        except OSError:
            self._close_file()
        if self._has_frames:
            self._close_file()

    def _open_segment(self) -> None:
        self._close_file()
        if self.directory is None or not self.directory.is_dir():  # somebody may have deleted it
            self._unlock()
            self.directory, self._lock_file = new_writer_directory(
                self._journal, worker=self._worker, continued=self.directory is not None
            )
            self._segment = 0
        self._elsewhere = self._look_elsewhere()
        path = segment_path(self.directory, self._segment + 1)
        file = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.write(file, self._head) != len(self._head):
                raise OSError(errno.ENOSPC, "short write")
            if self._fsync:
                os.fsync(file)
                _sync_directories(self.directory)
        except OSError:
            os.close(file)  # next time the same number again
            raise
        self._file, self._written = file, len(self._head)
        self._segment += 1

    def _look_elsewhere(self) -> int:
        return stored_bytes(self._journal, worker=self._worker)

    def _close_file(self) -> None:
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)

    def _unlock(self) -> None:
        if self._lock_file >= 0:
            file, self._lock_file = self._lock_file, -1
            os.close(file)


def _sync_directories(directory: Path) -> None:
    """A new file survives power loss only with its name, and that with the directory's."""
    for path in (directory, directory.parent):
        file = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)
