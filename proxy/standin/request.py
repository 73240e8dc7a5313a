"""One request as it arrives on a socket: head at once, body piece by piece with back-pressure.

Knows nothing of meaning; see routes.py.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import unquote

# The reader of a body may lag by so much before the socket is no longer read.
HIGH_WATER_BYTES = 256 * 1024


class Request:
    """Head and body of one request. `head_done` is called by the parser; the body is read with `pieces` or `body`."""

    def __init__(self, *, want_more: Callable[[], None], want_less: Callable[[], None], proceed: Callable[[], None]):
        self.method = ""
        self.raw_target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.http_version = "1.1"
        self.keep_alive = True
        self.body_bytes = 0  # arrived so far
        self.whole = False
        self._want_more, self._want_less, self._proceed = want_more, want_less, proceed
        self._pieces: list[bytes] = []
        self._held = 0
        self._arrived = asyncio.Event()
        self._digest = hashlib.sha256()
        self._dropping = False
        self._asked_for_body = False

    # ------------------------------------------------------------- told by the connection

    def feed(self, data: bytes) -> None:
        """A piece of the body arrived."""
        self.body_bytes += len(data)
        self._digest.update(data)
        if self._dropping:
            return
        self._pieces.append(data)
        self._held += len(data)
        self._arrived.set()
        if self._held > HIGH_WATER_BYTES:
            self._want_less()

    def finish(self) -> None:
        """The body is complete."""
        self.whole = True
        self._arrived.set()

    # ------------------------------------------------------------- read by the handler

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. The first reading answers `Expect: 100-continue`, as Go does."""
        self._ask_for_body()
        while True:
            while self._pieces:
                data = b"".join(self._pieces)
                self._pieces.clear()
                self._held = 0
                self._want_more()
                yield data
            if self.whole:
                return
            self._arrived.clear()
            await self._arrived.wait()

    async def body(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self.pieces()])

    async def drop_body(self) -> None:
        """Wait for the end of the body without keeping it."""
        self._dropping = True
        self._pieces.clear()
        self._held = 0
        self._want_more()
        while not self.whole:
            self._arrived.clear()
            await self._arrived.wait()

    def _ask_for_body(self) -> None:
        if self._asked_for_body:
            return
        self._asked_for_body = True
        if self.announced_bytes != 0 and self.field(b"expect").lower() == b"100-continue":
            self._proceed()

    @property
    def held_back(self) -> bool:
        """The client waits for a 100 Continue that it will not get: its body never comes."""
        return not self.whole and not self._asked_for_body and self.field(b"expect").lower() == b"100-continue"

    # ------------------------------------------------------------- what the head says

    def field(self, name: bytes) -> bytes:
        """The first value of the field `name` (lower case), b"" if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), b"")

    @property
    def target(self) -> str:
        return self.raw_target.decode("latin-1")

    @property
    def path(self) -> str:
        """The decoded path, without query: what Go routes by."""
        return unquote(self.target.partition("?")[0])

    @property
    def announced_bytes(self) -> int | None:
        """Content-Length; None = chunked or none."""
        value = self.field(b"content-length")
        return int(value) if value.isdigit() else None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()
