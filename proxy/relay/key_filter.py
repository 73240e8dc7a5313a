"""Takes the upstream's key out of an error that repeats it: it was sent for the client, not by the client.

Each byte of the key becomes a `*`, so that no length changes. Only errors are looked through. In a compressed one the
key cannot be replaced: a short one is held until it was looked into, and has no way to the client with the key in it.
"""

from __future__ import annotations

import zlib
from typing import Final

# Errors are short: of those longer than this, and of what a short one unpacks to beyond that, nothing is looked into.
HELD_BYTES: Final = 64 * 1024
_UNPACKED_BYTES: Final = 256 * 1024
# zlib's words for what comes under a name: servers mean zlib's own format by deflate, or none around it.
_WINDOWS: Final = {b"gzip": (31,), b"x-gzip": (31,), b"deflate": (15, -15)}


class KeyRepeatedError(Exception):
    """The key is in a body out of which it cannot be taken."""


class SealedError:
    """The compressed body of one error, held while it is short."""

    def __init__(self, key: bytes, coding: bytes) -> None:
        self._key, self._windows = key, _WINDOWS[coding]
        self._held: list[bytes] = []
        self._bytes = 0

    @staticmethod
    def opens(coding: bytes | None) -> bool:
        """Whether a body of this coding can be looked into."""
        return coding in _WINDOWS

    def feed(self, piece: bytes, *, complete: bool) -> bytes | None:
        """All that was held; None: more is to come first. Raises KeyRepeatedError."""
        self._held.append(piece)
        self._bytes += len(piece)
        if self._bytes <= HELD_BYTES and not complete:
            return None
        whole = b"".join(self._held)
        if self._bytes <= HELD_BYTES and any(self._key in _unpacked(whole, window) for window in self._windows):
            raise KeyRepeatedError
        return whole


def _unpacked(body: bytes, window: int) -> bytes:
    """The first bytes of what a compressed body holds, as far as it is of that kind."""
    found = b""
    try:
        while body and len(found) < _UNPACKED_BYTES:
            unpacking = zlib.decompressobj(window)
            found += unpacking.decompress(body, _UNPACKED_BYTES - len(found))
            body = unpacking.unused_data  # gzip may have several members
    except zlib.error:
        pass
    return found


class KeyFilter:
    """Over the pieces of one body; a key may be cut by any read."""

    def __init__(self, key: bytes) -> None:
        self._key, self._stars = key, b"*" * len(key)
        self._held = b""  # may be the begin of the key

    def feed(self, piece: bytes) -> bytes:
        """The piece without the key, and with what was held back before it."""
        whole = (self._held + piece).replace(self._key, self._stars)
        held = next((n for n in range(min(len(self._key) - 1, len(whole)), 0, -1) if whole.endswith(self._key[:n])), 0)
        self._held = whole[len(whole) - held :]
        return whole[: len(whole) - held]

    def flush(self) -> bytes:
        """What was held back and is no key."""
        held, self._held = self._held, b""
        return held
