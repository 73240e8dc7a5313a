"""How much memory this process has, and whether that is too much for another call."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PAGE: Final = resource.getpagesize()
_STATM: Final = Path("/proc/self/statm")
# Freed memory goes back to the system by itself only at the heap's end; asking for it takes some ms.
_TRIM_EVERY: Final = 8


def resident_bytes() -> int:
    """What the kernel says we have in memory."""
    return int(_STATM.read_bytes().split()[1]) * _PAGE


class Memory:
    """One process against its mark. What is taken between two looks is known as far as it is bodies."""

    def __init__(self, mark_bytes: int, *, resident: Callable[[], int] = resident_bytes) -> None:
        """`mark_bytes` 0: no mark."""
        self._mark = mark_bytes
        self._resident = resident
        self._room = 0  # bytes below the mark at the last look
        self._taken = 0  # by bodies since then
        self._past = 0  # looks in a row at which we were past it
        self.full = False

    def take(self, size: int) -> bool:
        """Note that so much of a body is held now. False: that is past the mark."""
        self._taken += size
        if self._mark and self._taken > self._room:
            self.full = True
        return not self.full

    def look(self) -> None:
        """Now and then while there are clients. Never raises: without a descriptor to be had what was known stays."""
        if not self._mark:
            return
        try:
            self._room = self._mark - self._resident()
        except OSError:
            return
        self._taken = 0
        self.full = self._room <= 0
        self._past = self._past + 1 if self.full else 0
        if self._past % _TRIM_EVERY == 1:
            _trim()


def _trim() -> None:
    """Give back to the system what was freed; else the mark could stay passed with nothing held."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc; musl gives back by itself
        libc.malloc_trim(0)
