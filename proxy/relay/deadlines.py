"""Watches over the silence of upstreams: one look over all passages now and then costs less than a timer for each."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

# A silence is noticed at the latest this much after its limit, or a tenth of the limit where that is shorter.
_LATEST_S: Final = 0.25


class Watched(Protocol):
    """What has a limit."""

    def look(self, now: float) -> None:
        """Called every now and then, with the event loop's time; ends itself when it is overdue."""


class Deadlines:
    """All that is being watched in one relay process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, shortest_s: float) -> None:
        """`shortest_s`: the shortest limit of all."""
        self._loop = loop
        self._every_s = min(_LATEST_S, shortest_s / 10)
        self._watched: set[Watched] = set()
        self._running = False

    def watch(self, watched: Watched) -> None:
        """Look at it until forget()."""
        self._watched.add(watched)
        if not self._running:
            self._running = True
            self._loop.call_later(self._every_s, self._look)

    def forget(self, watched: Watched) -> None:
        """Look at it no more; harmless when it is not watched."""
        self._watched.discard(watched)

    def _look(self) -> None:
        if not self._watched:
            self._running = False
            return
        self._loop.call_later(self._every_s, self._look)  # first: one that raises must not end it for all
        now = self._loop.time()
        for watched in tuple(self._watched):
            watched.look(now)
