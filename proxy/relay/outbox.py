"""What leaves at the end of one turn of the event loop: first all frames in one write to the journal, then the bytes.

A call's last bytes may go to the client, and its request to the upstream, only when its frame is kept. Doing that
for all calls of a turn together saves a system call for each frame, and wakes each receiver once instead of often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.journal.writer import Entry, JournalWriter


class Outbox:
    """Of one relay process; its event loop's thread only."""

    def __init__(self, journal: JournalWriter, loop: asyncio.AbstractEventLoop) -> None:
        self._journal = journal
        self._loop = loop
        self._frames: list[Entry] = []
        self._sends: list[tuple[Callable[[bytes], None], bytes]] = []
        self._scheduled = False

    def keep(self, kind: int, call_id: str, buffers: list[bytes]) -> None:
        """Append a frame in this turn."""
        self._frames.append((kind, call_id, buffers))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def send(self, write: Callable[[bytes], None], data: bytes) -> None:
        """Call `write(data)` in this turn, after the frames."""
        self._sends.append((write, data))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Do all that waits. `write` must not raise."""
        self._scheduled = False
        frames, sends = self._frames, self._sends
        self._frames, self._sends = [], []
        try:
            self._journal.append(frames)
        finally:  # append() should never raise; if it does, calls go on and the loop's log says so
            for write, data in sends:
                write(data)
