"""A request's body on its way in: held whole where its model must be read, else streamed; never unpacked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from aiohttp.streams import StreamReader

from proxy.relay import faults
from proxy.relay.call import Call
from proxy.relay.faults import Fault
from proxy.relay.memory import Memory
from proxy.wire.injection import Edit
from proxy.wire.peek import peek
from proxy.wire.peeked import Peek
from proxy.wire.peeker import Peeker

# Up to here a body is read in one go (some 100 us); beyond, piece by piece as it comes, so that no other call waits.
_PEEK_WHOLE: Final = 128 * 1024
# A step through a longer one: at most about a millisecond even of the densest JSON.
_STEP_BYTES: Final = 32 * 1024


class Bounds(NamedTuple):
    """How much of a body is taken, and how long it may take."""

    most_bytes: int | None  # None: as much as comes
    in_all_s: float | None  # waiting for the client; None: no end in all
    silence_s: float  # at once


class BodyRefusedError(Exception):
    """A body that is not taken whole; carries why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Body:
    """What a client sends. Either whole in memory, or a stream that can be read once."""

    __slots__ = ("_bounds", "_content", "_pieces", "length", "peeked")

    def __init__(
        self,
        pieces: list[bytes],
        *,
        content: StreamReader | None = None,
        length: int | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._pieces = pieces
        self._content = content
        self._bounds = bounds
        self.length = sum(map(len, pieces)) if content is None else length  # None: chunked, unknown
        self.peeked: Peek | None = None

    @property
    def whole(self) -> bool:
        """Whether all of it is here, so that it can be sent again."""
        return self._content is None

    def spliced(self, edit: Edit | None) -> list[bytes]:
        """The pieces with the edit made. Only of a whole body."""
        if edit is None:
            return self._pieces
        pieces: list[bytes] = []
        at = 0
        for piece in self._pieces:
            start, end = edit.start - at, edit.end - at
            if 0 <= start < len(piece):
                pieces += [piece[:start], edit.replacement]
            if end <= 0 or start >= len(piece):
                pieces.append(piece)
            elif end < len(piece):
                pieces.append(piece[end:])
            at += len(piece)
        return pieces

    async def stream(self, call: Call) -> AsyncIterator[bytes]:
        """The pieces as they come. Raises BodyRefusedError, and what aiohttp raises on a malformed body."""
        for piece in self._pieces:
            yield piece
        if self._content is None:
            return
        assert self._bounds is not None
        most_bytes, left_s, silence_s = self._bounds
        length = 0
        while True:
            began = time.monotonic()
            piece = await _next(self._content, silence_s if left_s is None else min(left_s, silence_s))
            if not piece:
                return
            if left_s is not None:
                left_s -= time.monotonic() - began
            length += len(piece)
            if most_bytes is not None and length > most_bytes:
                raise BodyRefusedError(faults.TOO_LARGE)
            call.sent_by_client(piece)
            yield piece


def ready_body(content: StreamReader, call: Call) -> Body | None:
    """The body when it came together with the head; None when there is more to wait for."""
    if not content.is_eof():
        return None
    return whole_body(content.read_nowait(-1), call)


def whole_body(piece: bytes, call: Call) -> Body:
    """A body that came with its head."""
    if not piece:
        return Body([])
    call.sent_by_client(piece)
    return Body([piece])


async def hold_body(content: StreamReader, call: Call, *, bounds: Bounds, memory: Memory) -> Body:
    """The whole body, its model read on the way. Raises BodyRefusedError, and aiohttp's errors on a malformed one."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(bounds.in_all_s):
            pieces, peeker = await _read_whole(content, call, bounds.most_bytes, memory)
    except TimeoutError:
        raise BodyRefusedError(faults.BODY_TIMEOUT) from None
    finally:
        call.waited_s += time.monotonic() - began
    body = Body(pieces)
    body.peeked = peeker.result() if peeker is not None else None
    return body


async def _read_whole(
    content: StreamReader, call: Call, most_bytes: int | None, memory: Memory
) -> tuple[list[bytes], Peeker | None]:
    """The pieces, and the reader that saw them when they are too long to be read in one go."""
    pieces: list[bytes] = []
    length = 0
    peeker: Peeker | None = None
    while piece := await content.readany():
        call.sent_by_client(piece)
        length += len(piece)
        if most_bytes is not None and length > most_bytes:
            raise BodyRefusedError(faults.TOO_LARGE)
        if not memory.take(len(piece)):
            raise BodyRefusedError(faults.OVERLOADED)
        pieces.append(piece)
        if peeker is not None:
            await _feed(peeker, piece)
        elif length > _PEEK_WHOLE:
            peeker = Peeker()
            for earlier in pieces:
                await _feed(peeker, earlier)
    return pieces, peeker


async def _next(content: StreamReader, patience_s: float) -> bytes:
    """The next piece, b"" at the end. Raises BodyRefusedError when it does not come in time."""
    try:
        async with asyncio.timeout(max(patience_s, 0)):
            return await content.readany()
    except TimeoutError:
        raise BodyRefusedError(faults.BODY_TIMEOUT) from None


async def _feed(peeker: Peeker, piece: bytes) -> None:
    """Look through one piece in steps, between which others have their turn: text of many strings takes its time."""
    for start in range(0, len(piece), _STEP_BYTES):
        peeker.feed(piece[start : start + _STEP_BYTES])
        await asyncio.sleep(0)


def read_body(body: Body) -> Peek:
    """Model, stream flag and what injection needs to know of a whole body."""
    if body.peeked is None:
        body.peeked = peek(b"".join(body.spliced(None)))
    return body.peeked
