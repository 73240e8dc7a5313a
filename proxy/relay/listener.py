"""The client's side: what is written to its connection, how that ends, and what it is given time for.

What comes from it is read by `relay/incoming`; the answer's bytes are written past aiohttp, straight to the transport.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import Any, Final, cast

from aiohttp.http_writer import HttpVersion11
from aiohttp.web_server import Server

from proxy.journal.counters import Counter, Counters
from proxy.relay import faults
from proxy.relay.call import new_call_id
from proxy.relay.clients import Clients
from proxy.relay.faults import Fault
from proxy.relay.incoming import Handler, Incoming
from proxy.relay.passage import Passage
from proxy.relay.request import Request

# States of a Linux TCP connection (include/net/tcp_states.h).
_TCP_CLOSE: Final = 7
_TCP_CLOSE_WAIT: Final = 8
_RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 s

# How long we read on behind a last answer. A client that got it closes; one far away needs a round trip.
_LINGER_S: Final = 1.0


class ClientConnection(Incoming):
    """One client connection. Carries one call at a time; `begin` sets what belongs to it."""

    __slots__ = (
        "_clients",
        "_counters",
        "_head_since",
        "_lingering",
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

    def __init__(self, manager: Server, clients: Clients, counters: Counters, **options: Any) -> None:
        super().__init__(manager, head_bytes=clients.limits.head_bytes, known=clients.known_heads, **options)
        self._counters = counters.words
        self._clients = clients
        self.address = ""
        self.refused: Fault | None = None  # one connection too many: what its request is told
        self.passage: Passage | None = None
        self.answered = self.head_only = self.http_1_0 = False
        self.persistent = True
        self.stalled = False  # it took nothing of its answer for too long
        self._used = False  # a request came
        self._lingering: asyncio.TimerHandle | None = None
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
        """Whether the client left while nothing is read from it: it had sent more than we may take in, or rubbish."""
        return (self._reading_paused or self._buffer_paused or self._deaf) and self.has_left()

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
        """Now and then: look at its call; end it when its head is late, or when it takes nothing of its answer."""
        if self.passage is not None:
            self.passage.look(now)
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
        self._head_since = time.monotonic()
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
        self._messages.clear()  # what came behind the last call: its bodies hold this connection

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.passage is not None:
            self.passage.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.passage is not None:
            self.passage.resume()

    def answer_unread(self, fault: Fault) -> None:
        """In OpenAI's shape, with one count and no traceback; then close."""
        self._counters[Counter.UNFRAMED] += 1
        request_id = new_call_id(time.time_ns())
        self.send(faults.error_answer(fault, request_id=request_id, close=True, head_only=False))
        self.finish()


class Listener(Server):
    """Makes a ClientConnection of each accepted socket."""

    def __init__(self, handler: Handler, *, clients: Clients, counters: Counters) -> None:
        super().__init__(cast(Any, handler), handler_cancellation=True)
        self._counters = counters
        self._clients = clients
        limits = clients.limits
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": limits.idle_s,
            "max_line_size": limits.head_bytes,
            "max_field_size": limits.head_bytes,
            "max_headers": limits.head_fields,
            "tcp_keepalive": False,  # the kernel's two hours help nobody; idle_s and the calls' own limits do
        }

    def __call__(self) -> ClientConnection:
        return ClientConnection(self, self._clients, self._counters, **self._options)

    def stop_idle(self) -> None:
        """Close connections without a call; the others close after theirs."""
        for connection in cast(list[ClientConnection], self.connections):
            if connection.waits_for_request:
                connection.force_close()
