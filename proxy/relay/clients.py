"""All client connections of one relay process: how many there may be, and a look at each now and then.

One look over all, their calls and our memory costs less than timers for each, and nothing on the way of a call; while
nobody is there, nothing is looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from typing import Final, Protocol

from proxy.core.config import Limits
from proxy.journal.counters import Counter, Counters
from proxy.relay import faults
from proxy.relay.faults import Fault
from proxy.relay.known_heads import KnownHeads
from proxy.relay.memory import Memory

# A limit is noticed at the latest this much after it, or a tenth of the limit where that is shorter.
_LATEST_S: Final = 0.25
# Connections beyond the limit that are told so; the next ones are closed at once.
_TOLD: Final = 64


class Looked(Protocol):
    """A connection that is looked at."""

    def look(self, now: float) -> None:
        """Ends itself when it, or its call, is overdue. `now`: of the monotonic clock."""


class Clients:
    """Counts connections and calls; only the event loop's thread."""

    def __init__(
        self, limits: Limits, counters: Counters, memory: Memory, loop: asyncio.AbstractEventLoop, *, shortest_s: float
    ) -> None:
        """`shortest_s`: the shortest time that an upstream is given."""
        self.limits = limits
        self.known_heads = KnownHeads(limits.head_bytes)
        self._counters = counters.words
        self._memory = memory
        self._loop = loop
        self._every_s = min(_LATEST_S, min(limits.head_s, limits.send_s, shortest_s) / 10)
        self._all: set[Looked] = set()
        self._of_address: Tally[str] = Tally()
        self._calls: Tally[str] = Tally()
        self._looking = False

    def arrived(self, connection: Looked, address: str) -> Fault | None:
        """Count a new connection. Gives what its request is to be told, when it is one too many.

        Raises OverflowError when there are so many that it must be closed without a word.
        """
        beyond = max(len(self._all) - self.limits.connections, self._of_address[address] - self.limits.per_address)
        if beyond >= _TOLD:
            self._counters[Counter.CONNECTIONS_REFUSED] += 1
            raise OverflowError
        self._all.add(connection)
        self._of_address[address] += 1
        if not self._looking:
            self._looking = True
            self._loop.call_later(self._every_s, self._look)
            self._memory.look()
        if len(self._all) > self.limits.connections:
            return faults.TOO_MANY_CONNECTIONS
        return faults.TOO_MANY_OF_ADDRESS if self._of_address[address] > self.limits.per_address else None

    def gone(self, connection: Looked, address: str) -> None:
        """Count a connection no more; harmless when it never was."""
        if connection in self._all:
            self._all.discard(connection)
            _down(self._of_address, address)

    def call_begins(self, address: str) -> bool:
        """Count a call. False: it is one too many, and not counted."""
        if self._calls[address] >= self.limits.calls_per_client:
            return False
        self._calls[address] += 1
        return True

    def call_ends(self, address: str) -> None:
        """Count it no more."""
        _down(self._calls, address)

    def _look(self) -> None:
        if not self._all:
            self._looking = False
            return
        self._loop.call_later(self._every_s, self._look)  # first: one that raises must not end it for all
        self._memory.look()
        now = time.monotonic()
        for connection in tuple(self._all):
            connection.look(now)


def _down(tally: Tally[str], address: str) -> None:
    """One less; addresses with none are forgotten, so that the tally stays as small as its connections are few."""
    if tally[address] > 1:
        tally[address] -= 1
    else:
        tally.pop(address, None)
