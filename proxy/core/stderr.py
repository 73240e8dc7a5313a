"""Standard error that never makes its writer wait: whoever reads it may stall for good, and calls must go on."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from typing import Any, Final

# A pipe that poll(2) calls writable takes so much at once.
_STEP: Final = select.PIPE_BUF


class PatientStderr(io.RawIOBase):
    """Writes what fits just now and drops the rest. Lines that were dropped are counted, and told with the next one."""

    def __init__(self, fd: int = 2) -> None:
        self.dropped = 0  # lines, since the last one that fitted
        self._fd = _own_description(fd)
        self._torn = False  # the last line that was written has no end

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, content: Any) -> int:
        """Says that all was written, whatever became of it."""
        whole = bytes(content)
        if not (self._tell_dropped() and self._put(whole)):
            self.dropped += max(whole.count(b"\n"), 1)
        return len(whole)

    def _tell_dropped(self) -> bool:
        if self.dropped:
            if not self._put(b'{"level":"warning","event":"log_lines_dropped","lines":%d}\n' % self.dropped):
                return False
            self.dropped = 0
        return True

    def _put(self, content: bytes) -> bool:
        """False: not all of it could be written."""
        if self._torn:
            content = b"\n" + content
        for start in range(0, len(content), _STEP):
            if not self._step(content[start : start + _STEP]):
                self._torn = self._torn or start > 0
                return False
        self._torn = not content.endswith(b"\n")
        return True

    def _step(self, part: bytes) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        try:
            return bool(poll.poll(0)) and os.write(self._fd, part) == len(part)
        except OSError:  # nobody reads any more, or somebody else took the room
            return False


def patient_stderr() -> None:
    """From now on nothing that this process prints to standard error makes it wait."""
    stream: Any = PatientStderr()  # unbuffered, as `python -u` makes it; typeshed wants a buffer here
    sys.stderr = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", write_through=True)


def _own_description(fd: int) -> int:
    """A descriptor of the same pipe or terminal that does not block; others who share ours go on as they were.

    A file has a place that must stay shared, a socket cannot be opened again: there it is ours, and poll(2) must do.
    """
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        pass
    return fd
