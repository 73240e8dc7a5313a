"""What comes from a client: bytes through the gate into aiohttp's parser, and the requests out of it, one by one.

Which of it becomes a call, and what goes back, is for `relay/listener` to say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server

from proxy.relay import faults
from proxy.relay.faults import Fault
from proxy.relay.gate import Gate
from proxy.relay.known_heads import KnownHead, KnownHeads
from proxy.relay.request import Request

log: Final = logging.getLogger("sightglass.relay")

# How long the rest of a body that nobody wanted is read and thrown away, so that the connection can be kept.
_READ_OFF_S: Final = 2.0
_TOO_MANY_FIELDS: Final = "Too many headers received"  # aiohttp's words; it has no class for it

PARSES_IN_C: Final = HttpRequestParser is not HttpRequestParserPy

# Answers one request; gives whether its connection may carry another.
Handler = Callable[[Request], Awaitable[bool]]


class RefusedError(Exception):
    """What a client sent is no request that we read; carries why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Passed:
    """What aiohttp wants to see of an answer that is already written."""

    async def prepare(self, request: object) -> None:
        """Nothing: the head is out."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: the end is out."""


_PASSED: Final = cast(StreamResponse, _Passed())


class Incoming(RequestHandler):
    """A client connection as far as it reads."""

    __slots__ = ("_deaf", "_gate", "_known", "_more_soon", "_raw_head", "_ready", "_socket")

    _current_request: Any  # a Request has what aiohttp touches of it; the types know only aiohttp's own

    def __init__(self, manager: Server, *, head_bytes: int, known: KnownHeads, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._gate = Gate(head_bytes)
        self._known = known
        self._ready: Request | None = None  # whole at once, its head known: the parser has not seen it
        self._raw_head: bytes | None = None  # of the first message that waits, if it came whole and alone
        self._socket: asyncio.Transport | None = None  # stays when aiohttp has let go of the transport
        self._deaf = False  # nothing more is read: what came is refused
        self._more_soon = False  # the gate has bytes for the loop's next turn

    async def start(self) -> None:
        """Answer the requests of this connection, one after the other, until it ends.

        In place of aiohttp's, which makes a task, a writer and an answer object for each request, and so goes round
        the event loop twice more: a tenth of what a call costs.
        """
        messages = self._messages
        client: Any = self  # a ClientConnection
        handler = cast(Handler, self._request_handler)
        while not self._force_close:
            if not messages:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            request, self._ready = self._ready, None
            if request is None:
                raw_head, self._raw_head = self._raw_head, None
                message, payload = messages.popleft()
                if self._parser is not None:
                    self._parser.message_consumed()
                if self._buffer_paused and len(messages) <= self._msg_queue_resume_size:
                    self._resume_reading_if_drained()
                if isinstance(message, _ErrInfo):
                    self._keepalive = False
                    self.answer_unread(_fault_of(message))
                    break
                request = Request(message, payload, client, raw_head=raw_head)
            try:
                self._keepalive = await self._answer(request, handler)
                if not request.content.is_eof():
                    await self._read_off(request.content)
            except BaseException:
                self.force_close()
                raise
            if not self._keepalive or self._close or self._force_close:
                break
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def _answer(self, request: Request, handler: Handler) -> bool:
        """Let one request be answered. Gives whether the connection may carry another."""
        self._current_request = request
        self._request_in_progress = True
        try:
            kept = await handler(request)
        except Exception:
            log.exception("request_failed")
            if request.client.answered:
                request.client.break_off()
            else:
                self.answer_unread(faults.INTERNAL)
            return False
        finally:
            request.forget_fault()
            self._current_request = None
            self._request_in_progress = False
            if self._handler_waiter is not None:  # aiohttp's shutdown
                self._handler_waiter.set_result(None)
        if self._upgraded:  # an offer to change protocols, not taken: aiohttp parses what it held back behind it
            await self.finish_response(cast(BaseRequest, request), _PASSED, None)
        return kept

    async def _read_off(self, body: StreamReader) -> None:
        """Throw away the rest of a body; close when it does not end soon."""
        await asyncio.sleep(0)  # an upload that was broken off lets go of it first
        try:
            async with asyncio.timeout(_READ_OFF_S):
                while not (body.is_eof() or self._force_close):
                    await body.readany()
        except (TimeoutError, HttpProcessingError, RequestPayloadError):
            self.close()

    def answer_unread(self, fault: Fault) -> None:
        """Answer what never became a call, and end the connection."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; b"" when aiohttp wants to go on with what it has."""
        if data:
            if self._deaf:
                return
            gate, waiter = self._gate, self._waiter
            alone = waiter is not None and gate.between and not waiter.done()  # nothing is under way before it
            if alone and (found := self._known.find(data)) is not None:
                self._take_known(*found)
                return
            data = gate.let_in(data)
            if alone and gate.head_end:
                self._raw_head = data[: gate.head_end]
            if gate.refused is not None or gate.rest:
                self._let_in_part(data)
                return
            if not data:
                return
        elif self._gate.rest:
            self._soon()
        super().data_received(data)
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            self._end_reading()

    def _take_known(self, known: KnownHead, body: bytes) -> None:
        """A whole request whose head was read before: it need not be parsed again."""
        client: Any = self  # a ClientConnection
        self._ready = Request(known.message, EMPTY_PAYLOAD, client, known=known, body=body)
        assert self._waiter is not None
        self._waiter.set_result(None)

    def _let_in_part(self, data: bytes) -> None:
        """Some of what came is let in; the rest is refused, or has its turn later."""
        gate = self._gate
        if data:
            super().data_received(data)
            if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
                self._end_reading()
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
            if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
                self._end_reading()

    def _end_reading(self) -> None:
        """Behind a malformed message nothing more is read, and a body it ends learns it.

        aiohttp's C parser tells the connection of a malformed body, but not who waits for it.
        """
        self._deaf = True
        malformed = self._messages[-1][0]
        if isinstance(malformed, _ErrInfo) and malformed.exc is not None:
            # It leads to the frame that keeps it, and so to all of this connection: only the collector would find it.
            malformed.exc.__traceback__ = None
        if self._current_request is not None:  # else `begin` looks
            self._end_malformed(self._current_request.content)

    def _refuse(self, fault: Fault) -> None:
        """Read nothing more. A body under way ends as malformed; else the fault is answered in its turn."""
        self._deaf = True
        body = self._body_under_way()
        if body is not None:
            body.set_exception(RequestPayloadError(fault.message))
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
            body = self._current_request.content
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
            body.set_exception(RequestPayloadError(why))


def _fault_of(malformed: _ErrInfo) -> Fault:
    """What to tell of a message that could not be read."""
    error = malformed.exc
    if isinstance(error, RefusedError):
        return error.fault
    if isinstance(error, LineTooLong) or malformed.message == _TOO_MANY_FIELDS:
        return faults.HEAD_TOO_LARGE
    return faults.BAD_REQUEST if malformed.status < 500 else faults.INTERNAL
