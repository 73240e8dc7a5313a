"""Who may use a model now: loading, parallel slots, the silent queue. Holds no model, only its places.

As in Ollama: a first use loads (others wait with it, at most `max_queue` of them, else 503); a call to a loaded model
waits for one of `parallel` slots, in order and without a word. Loading is part of load_duration, waiting is not.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from proxy.standin.call import RefusedError

if TYPE_CHECKING:
    from proxy.standin.call import Call

BUSY = "server busy, please try again.  maximum pending requests exceeded"


class Place:
    """One model's places."""

    def __init__(self) -> None:
        self.loaded_until = 0.0  # monotonic; 0 = not loaded
        self.busy = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.loading: asyncio.Event | None = None
        self.pending = 0  # calls that wait for the load


class Slots:
    """The places of all models by name."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    async def acquire(self, call: Call, model: str) -> int:
        """Load `model` if need be and take a slot. Returns the ns that loading took. Raises RefusedError(503)."""
        place = self._places.setdefault(model, Place())
        began = time.monotonic_ns()
        call.phase = "load"
        await self._load(call, place)
        load_ns = time.monotonic_ns() - began
        call.phase = "queue"
        await self._take(call, place)
        place.loaded_until = time.monotonic() + call.settings.keep_alive_s
        return load_ns

    def release(self, call: Call, model: str) -> None:
        """Give the slot back to the next in line."""
        place = self._places.get(model)
        if place is None:
            return
        place.loaded_until = time.monotonic() + call.settings.keep_alive_s
        self._pass_on(place)

    def unload(self, model: str) -> None:
        """Forget that `model` was loaded."""
        place = self._places.get(model)
        if place is not None:
            place.loaded_until = 0.0

    def loaded(self) -> list[tuple[str, float]]:
        """(model, seconds until it is unloaded) of what is loaded, latest first."""
        now = time.monotonic()
        here = [(name, place.loaded_until - now) for name, place in self._places.items() if place.loaded_until > now]
        return sorted(here, key=lambda item: -item[1])

    async def _load(self, call: Call, place: Place) -> None:
        if place.busy or place.loaded_until > time.monotonic() or call.settings.load_s <= 0:
            return
        if place.pending >= call.settings.max_queue:
            raise RefusedError(503, BUSY)
        place.pending += 1
        try:
            while place.loaded_until <= time.monotonic() and place.loading is not None:
                await place.loading.wait()
            if place.loaded_until > time.monotonic():
                return
            place.loading = asyncio.Event()
            try:
                await asyncio.sleep(call.settings.load_s)
                place.loaded_until = time.monotonic() + call.settings.keep_alive_s
            finally:
                place.loading.set()
                place.loading = None
        finally:
            place.pending -= 1

    async def _take(self, call: Call, place: Place) -> None:
        limit = call.settings.parallel
        if not limit or place.busy < limit:
            place.busy += 1
            return
        if call.settings.max_waiting and len(place.waiting) >= call.settings.max_waiting:
            raise RefusedError(503, BUSY)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place.waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(place)
            else:
                place.waiting.remove(waiter)
            raise

    @staticmethod
    def _pass_on(place: Place) -> None:
        while place.waiting:
            waiter = place.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the slot passes on, `busy` stays
                return
        place.busy -= 1
