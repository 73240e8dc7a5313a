"""The client's side: aiohttp's server connection, taught to hand its transport to a passage.

aiohttp keeps the connection and parses requests; the answer's bytes are written past it. `Passed` tells it that the
answer is out.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from proxy.core.config import Limits
from proxy.journal.counters import Counter, Counters
from proxy.relay import faults
from proxy.relay.call import new_call_id
from proxy.relay.passage import Passage
from proxy.relay.request import Request

# States of a Linux TCP connection (include/net/tcp_states.h).
_TCP_CLOSE: Final = 7
_TCP_CLOSE_WAIT: Final = 8
_RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 s

Handler = Callable[[Request], Awaitable[web.StreamResponse]]


class Passed(web.StreamResponse):
    """An answer that is already written. aiohttp only learns whether the connection is kept."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._kept = keep_alive

    @property
    def keep_alive(self) -> bool:
        """Whether the client's connection may carry another call."""
        return self._kept

    async def prepare(self, request: BaseRequest) -> None:
        """Nothing: the head is out."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: the end is out."""


KEEP: Final = Passed(keep_alive=True)
CLOSE: Final = Passed(keep_alive=False)


class ClientConnection(RequestHandler):
    """One client connection. Carries one call at a time; `begin` sets what belongs to it."""

    __slots__ = ("_counters", "_socket", "answered", "head_only", "http_1_0", "passage", "persistent")

    def __init__(self, manager: web.Server, counters: Counters, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._counters = counters.words
        self._socket: asyncio.Transport | None = None  # stays when aiohttp has let go of the transport
        self.passage: Passage | None = None
        self.answered = self.head_only = self.http_1_0 = False
        self.persistent = True

    def begin(self, request: Request) -> None:
        """A new call."""
        self.answered = False  # some of an answer was written
        self.head_only = request.method == "HEAD"
        self.http_1_0 = request.version < HttpVersion11
        self.persistent = request.keep_alive
        if self._messages:
            self._end_malformed(request.content)

    def send(self, data: bytes) -> None:
        """Write some of the answer; never blocks."""
        self.answered = True
        transport = self._socket
        if data and transport is not None and not transport.is_closing():
            transport.write(data)

    def send_interim(self, data: bytes) -> None:
        """Write what is no answer yet."""
        transport = self._socket
        if data and transport is not None and not transport.is_closing():
            transport.write(data)

    def leave(self) -> None:
        """Break the connection."""
        if self._socket is not None:
            self._socket.abort()

    def break_off(self) -> None:
        """Close behind what was sent of an answer, so that nobody can take it for the whole answer."""
        self.persistent = False
        sock = self._socket.get_extra_info("socket") if self._socket is not None else None
        if self.http_1_0 and sock is not None:
            # Its only sign of an end may be the closing itself: reset instead.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    @property
    def waits_for_request(self) -> bool:
        """Whether no call is under way or about to begin."""
        return self._waiter is not None and not self._waiter.done()

    def left_unseen(self) -> bool:
        """Whether the client left while nothing is read from it: it had sent more than we may take in."""
        return (self._reading_paused or self._buffer_paused) and self.has_left()

    def has_left(self) -> bool:
        """Whether the client closed, also while we do not read from it: asks the kernel for the connection's state."""
        sock = self._socket.get_extra_info("socket") if self._socket is not None else None
        if sock is None:
            return True
        state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state in (_TCP_CLOSE, _TCP_CLOSE_WAIT)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counters[Counter.CLIENTS] += 1
        self._socket = cast(asyncio.Transport, transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._counters[Counter.CLIENTS] -= 1
        self._socket = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages and self._current_request is not None:  # else `begin` looks
            self._end_malformed(self._current_request.content)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """aiohttp asks for this with every piece it reads of a body; only what was paused need be resumed."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _end_malformed(self, body: StreamReader) -> None:
        """End a body that turned out malformed: aiohttp's C parser tells the connection, but not who waits for it."""
        malformed = not isinstance(self._messages[-1][0], RawRequestMessage)
        if malformed and not body.is_eof() and body.exception() is None:
            body.set_exception(web.RequestPayloadError("neither a chunk nor an end"))

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.passage is not None:
            self.passage.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.passage is not None:
            self.passage.resume()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp could not parse: our 400 in OpenAI's shape, one count, no traceback; then close."""
        self._counters[Counter.UNFRAMED] += 1
        fault = faults.BAD_REQUEST if status < 500 else faults.INTERNAL
        if isinstance(exc, LineTooLong):
            fault = fault._replace(message="A line or field of the request's head is longer than limits.head_bytes.")
        request_id = new_call_id(time.time_ns())
        self.send(faults.error_answer(fault, request_id=request_id, close=True, head_only=False))
        return CLOSE


class Listener(web.Server):
    """Makes a ClientConnection of each accepted socket."""

    def __init__(self, handler: Handler, *, limits: Limits, counters: Counters) -> None:
        # Request has what aiohttp touches of one, see there; the types know only aiohttp's own.
        super().__init__(cast(Any, handler), request_factory=cast(Any, Request), handler_cancellation=True)
        self._counters = counters
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": limits.idle_s,
            "max_line_size": limits.head_bytes,
            "max_field_size": limits.head_bytes,
            "lingering_time": 2.0,
            "tcp_keepalive": False,  # the kernel's two hours help nobody; idle_s and the calls' own limits do
        }

    def __call__(self) -> ClientConnection:
        return ClientConnection(self, self._counters, **self._options)

    def stop_idle(self) -> None:
        """Close connections without a call; the others close after theirs."""
        for connection in cast(list[ClientConnection], self.connections):
            if connection.waits_for_request:
                connection.force_close()
