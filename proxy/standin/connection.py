"""One client connection of the stand-in: parses requests with httptools, runs one call after the other.

bytes in -> data_received -> Request -> one task per call (routes.serve) -> Answer -> bytes out
the client leaves -> eof_received / connection_lost -> the task is cancelled, Stats.left says in which phase
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from proxy.core.tasks import spawn
from proxy.standin import routes
from proxy.standin.faults import BrokenError
from proxy.standin.request import Request

if TYPE_CHECKING:
    from proxy.standin.server import StandIn

# Go answers this to what it cannot parse.
BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
)
# Go waits so long before it closes on a client that still sends, so that its answer is not lost to a reset.
LINGER_S = 0.5


class Connection(asyncio.Protocol):
    """One client connection: its parser, its requests in order, the call under way."""

    def __init__(self, stand_in: StandIn):
        self.stand_in = stand_in
        self.client_left = False
        self.closing = False  # by us
        self.doomed = ""  # "close" or "reset": what the next request on this connection meets
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._parsing: Request | None = None
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._reading = True

    # ------------------------------------------------------------- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is one in all but name
        self.stand_in.open.add(self)
        self.stand_in.stats.connections += 1
        self.stand_in.stats.connections_total += 1

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Go ignores the wish and serves on. Here the parser cannot go on: this answer is the connection's last.
            if self._parsing is not None:
                self._parsing.keep_alive = False
        except (httptools.HttpParserError, ValueError):
            if self._task is None:
                self.send(BAD_REQUEST)
            self.close()

    def eof_received(self) -> bool:
        # Go takes a half-closed client for gone: its background read fails and cancels the request.
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol names it)
        self._leave()
        self.stand_in.open.discard(self)
        self.stand_in.stats.connections -= 1
        if not self.ended.done():
            self.ended.set_result(None)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        waiting, self._writable = self._writable, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _leave(self) -> None:
        if not self.closing:
            self.client_left = True
        self.resume_writing()
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    # ------------------------------------------------------------- httptools callbacks

    def on_message_begin(self) -> None:
        self._parsing = Request(want_more=self._read_on, want_less=self._read_no_more, proceed=self._proceed)

    def on_url(self, url: bytes) -> None:
        assert self._parsing is not None
        self._parsing.raw_target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self._parsing is not None
        self._parsing.headers.append((name, value))

    def on_headers_complete(self) -> None:
        request = self._parsing
        assert request is not None
        request.method = self._parser.get_method().decode("latin-1")
        request.http_version = self._parser.get_http_version()
        request.keep_alive = self._parser.should_keep_alive()
        if self._task is None:
            self._begin(request)
        else:
            self._waiting.append(request)
            self._read_no_more()  # one request at a time: a pipelining client waits

    def on_body(self, body: bytes) -> None:
        assert self._parsing is not None
        self._parsing.feed(body)

    def on_message_complete(self) -> None:
        assert self._parsing is not None
        self._parsing.finish()

    # ------------------------------------------------------------- calls

    def _begin(self, request: Request) -> None:
        if self.doomed:
            self.stand_in.stats.requests += 1
            self.stand_in.stats.broken += 1
            self.reset() if self.doomed == "reset" else self.close()
            return
        self._task = spawn(self._serve(request), name="stand-in call")

    async def _serve(self, request: Request) -> None:
        close = True
        try:
            close = await routes.serve(self.stand_in, self, request) or request.held_back
            if not request.whole and not close:
                await request.drop_body()
        except BrokenError:
            close = False
        except asyncio.CancelledError:
            if not self.client_left and not self.closing:
                raise
            close = False
        except Exception:
            self.send(BAD_REQUEST.replace(b"400 Bad Request", b"500 Internal Server Error"))
            self.close()
            raise  # a mistake of ours: spawn logs it
        finally:
            self._task = None
        if close:
            await self._close_gently(request)
        elif self._waiting and not self.closing:
            self._read_on()
            self._begin(self._waiting.popleft())

    async def _close_gently(self, request: Request) -> None:
        if not request.whole and self._transport is not None and not self._transport.is_closing():
            self.closing = True
            self._read_on()
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write_eof()
            await asyncio.wait([self.ended], timeout=LINGER_S)
        self.close()

    # ------------------------------------------------------------- the socket

    def send(self, data: bytes) -> None:
        """Hand `data` to the socket, if it is still there."""
        if self._transport is not None and data and not self._transport.is_closing():
            self._transport.write(data)

    async def writable(self) -> None:
        """Wait until the client has read enough for more to be sent."""
        if self._writable is not None:
            await self._writable

    def close(self) -> None:
        """Close with FIN once everything is sent."""
        self.closing = True
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Close with RST at once."""
        self.closing = True
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _proceed(self) -> None:
        self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _read_no_more(self) -> None:
        if self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if not self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()
