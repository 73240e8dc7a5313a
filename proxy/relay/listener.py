"""The client's side: aiohttp's server connection, taught to hand its transport to a passage.

The gate looks through what comes, then aiohttp parses it and keeps the connection; the answer's bytes are written past
it. `Passed` tells it that the answer is out.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from aiohttp.web_request import BaseRequest

from proxy.core.config import Limits
from proxy.journal.counters import Counter, Counters
from proxy.relay import faults
from proxy.relay.call import new_call_id
from proxy.relay.clients import Clients
from proxy.relay.faults import Fault
from proxy.relay.gate import Gate
from proxy.relay.passage import Passage
from proxy.relay.request import Request

# States of a Linux TCP connection (include/net/tcp_states.h).
_TCP_CLOSE: Final = 7
_TCP_CLOSE_WAIT: Final = 8
_RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 s

# How long we read on behind a last answer. A client that got it closes; one far away needs a round trip.
_LINGER_S: Final = 1.0
_TOO_MANY_FIELDS: Final = "Too many headers received"  # aiohttp's words; it has no class for it

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


class RefusedError(Exception):
    """What a client sent is no request that we read; carries why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class ClientConnection(RequestHandler):
    """One client connection. Carries one call at a time; `begin` sets what belongs to it."""

    __slots__ = (
        "_clients",
        "_counters",
        "_deaf",
        "_gate",
        "_head_since",
        "_lingering",
        "_more_soon",
        "_socket",
        "_unsent",
        "_unsent_since",
        "_used",
        "address",
        "answered",
        "head_only",
        "http_1_0",
        "passage",
        "persistent",
        "refused",
        "stalled",
    )

    def __init__(self, manager: web.Server, clients: Clients, counters: Counters, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._counters = counters.words
        self._clients = clients
        self._gate = Gate(clients.limits.head_bytes)
        self._socket: asyncio.Transport | None = None  # stays when aiohttp has let go of the transport
        self.address = ""
        self.refused: Fault | None = None  # one connection too many: what its request is told
        self.passage: Passage | None = None
        self.answered = self.head_only = self.http_1_0 = False
        self.persistent = True
        self.stalled = False  # it took nothing of its answer for too long
        self._used = False  # a request came
        self._deaf = False  # nothing more is read: what came is refused
        self._lingering: asyncio.TimerHandle | None = None
        self._more_soon = False  # the gate has bytes for the loop's next turn
        self._head_since = 0.0  # since when we wait for the rest of a head, as a look saw it; 0: we do not
        self._unsent = 0  # bytes that waited for the client at the last look
        self._unsent_since = 0.0  # since when none of them were taken

    def begin(self, request: Request) -> None:
        """A new call."""
        self.answered = False  # some of an answer was written
        self._used = True
        self._head_since = 0.0
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

    async def taken(self) -> None:
        """Wait until the client has taken enough of the answer before that another may be begun."""
        try:
            await self._drain_helper()
        except ConnectionError:
            raise asyncio.CancelledError from None  # it left

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

    def call_begins(self) -> bool:
        """Count this client's call. False: one too many."""
        return self._clients.call_begins(self.address)

    def call_ends(self) -> None:
        """Count it no more."""
        self._clients.call_ends(self.address)

    def finish(self) -> None:
        """Nothing follows what was sent: the client sees the end at once, and what it has under way is thrown away.

        Closing with bytes unread would reset the connection, and the answer could be lost on its way.
        """
        sock = self._socket
        if sock is None or sock.is_closing() or self._lingering is not None:
            return
        self._deaf = True
        self.transport = None  # aiohttp would close at once
        sock.write_eof()
        sock.resume_reading()
        self._lingering = self._loop.call_later(_LINGER_S, self._end_lingering)

    def _end_lingering(self) -> None:
        sock = self._socket
        if sock is None:
            return
        if sock.get_write_buffer_size():  # a slow reader has the answer still to take; `look` ends one that does not
            self._lingering = self._loop.call_later(_LINGER_S, self._end_lingering)
        else:
            sock.abort()

    def force_close(self) -> None:
        super().force_close()
        if self._lingering is not None and self._socket is not None:
            self._socket.abort()

    def look(self, now: float) -> None:
        """Now and then: end it when its head is late, or when it takes nothing of what it was sent."""
        if self._current_request is not None and not self._paused:
            self._unsent = 0
        elif self._stuck(now):
            self.stalled = True
            self._counters[Counter.CLIENTS_STALLED] += 1
            self.leave()
        elif self._current_request is None and not self._unsent and not self._deaf:
            self._look_for_head(now)

    def _stuck(self, now: float) -> bool:
        """Whether bytes wait for the client, and none were taken for too long."""
        unsent = self._socket.get_write_buffer_size() if self._socket is not None else 0
        if not self._unsent or unsent < self._unsent:
            self._unsent_since = now
        self._unsent = unsent
        return unsent > 0 and now - self._unsent_since >= self._clients.limits.send_s

    def _look_for_head(self, now: float) -> None:
        if self._used and not self._gate.in_head:
            self._head_since = 0.0  # idle: aiohttp's timer ends it
        elif not self._head_since:
            self._head_since = now
        elif now - self._head_since >= self._clients.limits.head_s:
            if self._gate.in_head or self.refused is not None:
                self._refuse(self.refused or faults.HEAD_TIMEOUT)
            else:
                self.force_close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._counters[Counter.CLIENTS] += 1
        self._socket = cast(asyncio.Transport, transport)
        self._head_since = self._loop.time()
        try:
            self.refused = self._clients.arrived(self, self.address)
        except OverflowError:
            self._socket.abort()
            self._deaf = True
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._counters[Counter.CLIENTS] -= 1
        if self._lingering is not None:
            self._lingering.cancel()
        self._clients.gone(self, self.address)
        self._socket = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; b"" when aiohttp wants to go on with what it has."""
        if data:
            if self._deaf:
                return
            gate = self._gate
            data = gate.let_in(data)
            if gate.refused is not None or gate.rest:
                self._let_in_part(data)
                return
            if not data:
                return
        elif self._gate.rest:
            self._soon()
        super().data_received(data)
        if self._messages:
            self._look_at_messages()

    def _let_in_part(self, data: bytes) -> None:
        """Some of what came is let in; the rest is refused, or has its turn later."""
        gate = self._gate
        if data:
            super().data_received(data)
            if self._messages:
                self._look_at_messages()
        if gate.refused is not None:
            self._refuse(gate.refused)
        else:
            self._pause_transport_reading()
            self._soon()

    def _soon(self) -> None:
        if not self._more_soon:
            self._more_soon = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """The gate's rest, in a turn of its own."""
        self._more_soon = False
        if self._socket is None or self._deaf:
            return
        if self._reading_paused or self._buffer_paused:
            return  # the parser is full: when it is no more, aiohttp calls data_received(b"")
        data = self._gate.let_in(b"")
        if self._gate.refused is not None or self._gate.rest:
            self._let_in_part(data)
            return
        self._resume_transport_reading()
        if data:
            super().data_received(data)
            if self._messages:
                self._look_at_messages()

    def _look_at_messages(self) -> None:
        """Of what the parser gave: behind a malformed one nothing more is read, and a body it ends learns it.

        aiohttp's C parser tells the connection of a malformed body, but not who waits for it.
        """
        message, _ = self._messages[-1]
        if isinstance(message, RawRequestMessage):
            return
        self._deaf = True
        if self._current_request is not None:  # else `begin` looks
            self._end_malformed(self._current_request.content)

    def _refuse(self, fault: Fault) -> None:
        """Read nothing more. A body under way ends as malformed; else the fault is answered in its turn."""
        self._deaf = True
        body = self._body_under_way()
        if body is not None:
            body.set_exception(web.RequestPayloadError(fault.message))
            return
        error = _ErrInfo(status=fault.status, exc=RefusedError(fault), message=fault.message)
        self._messages.append((error, EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _body_under_way(self) -> StreamReader | None:
        """The body that the parser was reading last, unless it is whole."""
        body: StreamReader | None = None
        if self._messages:
            body = self._messages[-1][1]
        elif self._current_request is not None:
            body = cast(Request, self._current_request).content
        return None if body is None or body.is_eof() or body.exception() is not None else body

    def resume_reading(self, resume_parser: bool = True) -> None:
        """aiohttp asks for this with every piece it reads of a body; only what was paused need be resumed."""
        if self._reading_paused:
            super().resume_reading(resume_parser)
            if self._gate.rest:
                self._soon()

    def _end_malformed(self, body: StreamReader) -> None:
        """End a body that turned out malformed, unless it is whole: then what follows it is."""
        malformed = not isinstance(self._messages[-1][0], RawRequestMessage)
        if malformed and not body.is_eof() and body.exception() is None:
            refused = self._gate.refused
            why = refused.message if refused is not None else "neither a chunk nor an end"
            body.set_exception(web.RequestPayloadError(why))

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
        if isinstance(exc, RefusedError):
            fault = exc.fault
        elif isinstance(exc, LineTooLong) or message == _TOO_MANY_FIELDS:
            fault = faults.HEAD_TOO_LARGE
        request_id = new_call_id(time.time_ns())
        self.send(faults.error_answer(fault, request_id=request_id, close=True, head_only=False))
        self.finish()
        return CLOSE


class Listener(web.Server):
    """Makes a ClientConnection of each accepted socket."""

    def __init__(self, handler: Handler, *, limits: Limits, counters: Counters) -> None:
        # Request has what aiohttp touches of one, see there; the types know only aiohttp's own.
        super().__init__(cast(Any, handler), request_factory=cast(Any, Request), handler_cancellation=True)
        self._counters = counters
        self.clients = Clients(limits, counters, asyncio.get_running_loop())
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": limits.idle_s,
            "max_line_size": limits.head_bytes,
            "max_field_size": limits.head_bytes,
            "max_headers": limits.head_fields,
            "lingering_time": 2.0,
            "tcp_keepalive": False,  # the kernel's two hours help nobody; idle_s and the calls' own limits do
        }

    def __call__(self) -> ClientConnection:
        return ClientConnection(self, self.clients, self._counters, **self._options)

    def stop_idle(self) -> None:
        """Close connections without a call; the others close after theirs."""
        for connection in cast(list[ClientConnection], self.connections):
            if connection.waits_for_request:
                connection.force_close()
