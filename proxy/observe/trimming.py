"""Trimming: free memory goes back to the system, as the C library does not do by itself in a thread's own arena.

The observer's thread takes and frees bodies, rows and pages of all sizes, some of which stay. glibc gives back what is
free at the end of an arena only, so its holes were kept: 10 to 20 MB an hour under steady traffic. `malloc_trim` gives
whole free pages back wherever they are; it takes about a millisecond.

Before that Python's collector of garbage looks once over all there is: by itself it hardly ever does, see observer_app.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

EVERY_S: Final = 30.0


def _give_back() -> None:
    """Once, where the C library is glibc; others (musl) give back by themselves."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Trimming:
    """For the observer's thread, between two passes."""

    def __init__(
        self, give_back: Callable[[], None] = _give_back, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._give_back, self._clock = give_back, clock
        self._due = clock() + EVERY_S

    def turn(self) -> None:
        """Give back, when it is time."""
        if self._clock() < self._due:
            return
        self._give_back()
        self._due = self._clock() + EVERY_S
