"""Follow the snapshot: a look at the file's status when a call comes, and now and then; a read when it is another one.

A file that is damaged or gone changes nothing: the last good snapshot stays, and the log says so once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proxy.control.snapshot import Snapshot, read_snapshot

# A look costs 3 µs; a change is in force for calls that come this much later.
LOOK_S: Final = 0.1
# While no call comes nobody needs it, only the log is to say what is wrong with it.
IDLE_LOOK_S: Final = 1.0

log: Final = logging.getLogger("sightglass.control")

_Signature = tuple[int, int, int] | None  # inode, time of change, size; None = no file
_NEVER: Final = (-1, -1, -1)


class Follower:
    """Gives each new snapshot to `take`. `take(None)` at the first look: there is a file, and it cannot be read."""

    def __init__(self, path: Path, take: Callable[[Snapshot | None], None]) -> None:
        self._path = path
        self._take = take
        self._seen: _Signature = _NEVER
        self._told: _Signature = _NEVER  # of this state the log says what is wrong
        self._good = False  # some snapshot is in force
        self._due = 0.0  # monotonic time of the next look on behalf of a call

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look now, and from now on."""
        loop.call_later(IDLE_LOOK_S, self.start, loop)
        self.look()

    def look_for_call(self, now: float) -> None:
        """A call came at monotonic time `now`: look, unless that was done a moment ago."""
        if now >= self._due:
            self._due = now + LOOK_S
            self.look()

    def look(self) -> None:
        """Take what is new. Never raises."""
        try:
            found = self._path.stat()
            signature: _Signature = (found.st_ino, found.st_mtime_ns, found.st_size)
        except FileNotFoundError:
            signature = None
        except OSError as error:
            self._keep(error, None)
            return
        if signature == self._seen:
            return
        if signature is None and self._good:
            self._keep(None, signature)
        elif not self._read(signature):
            return
        self._seen = signature

    def _read(self, signature: _Signature) -> bool:
        """Take what the file says. False: it could not be read just now, which says nothing of what it is."""
        try:
            snapshot = read_snapshot(self._path)
        except (OSError, ValueError) as error:
            self._keep(error, signature)
            return isinstance(error, ValueError)
        if snapshot is not None or not self._good:
            self._good = True
            self._take(snapshot or Snapshot())
        return True

    def _keep(self, error: Exception | None, signature: _Signature) -> None:
        """Say why nothing changes, once for each state of the file."""
        if signature == self._told:
            return
        self._told = signature
        why = "it is gone" if error is None else str(error)
        if self._good or error is None:
            log.warning("control_snapshot_kept", extra={"why": why, "file": str(self._path)})
        else:
            log.error("control_snapshot_unreadable", extra={"why": why, "file": str(self._path)})
            self._take(None)
