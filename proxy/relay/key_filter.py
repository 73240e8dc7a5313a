"""Takes the upstream's key out of an error that repeats it: it was sent for the client, not by the client.

Each byte of the key becomes a `*`, so that no length changes. Only errors are looked through; compressed ones pass.
"""

from __future__ import annotations


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
