"""One connection to an upstream, and the pool of those that wait for the next call.

The connection moves bytes between its transport and the passage of the call that has it; what the bytes are is the
passage's business.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import Final, Protocol, cast

from proxy.core.upstreams import ResolvedUpstream
from proxy.journal.counters import Counter, Counters

_IDLE: Final = Counter.UPSTREAM_IDLE.value  # a plain number: on the way of each call


class Receiver(Protocol):
    """Who gets what a connection reads: the passage of one call."""

    def received(self, data: bytes) -> None:
        """The upstream sent something."""

    def lost(self, error: Exception | None) -> None:
        """The connection is gone. None: the upstream closed it in an orderly way."""


class UpstreamConnection(asyncio.Protocol):
    """A connection, used by one call at a time."""

    __slots__ = ("_drained", "_loop", "closed", "idle_since", "receiver", "transport")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._drained: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.receiver: Receiver | None = None
        self.closed = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is one in all but name

    def data_received(self, data: bytes) -> None:
        if self.receiver is not None:
            self.receiver.received(data)
        else:
            self.abort()  # nobody asked: this connection cannot be trusted with a call

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.resume_writing()
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.lost(exc)

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def write(self, data: bytes) -> None:
        """Send; never blocks."""
        if self.transport is not None and not self.closed:
            self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the upstream has taken enough that more may be written."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    @property
    def full(self) -> bool:
        """Whether what was written waits for the upstream to take it."""
        return self._drained is not None

    def abort(self) -> None:
        """Close at once; the upstream sees the connection break."""
        self.closed = True
        self.receiver = None
        if self.transport is not None:
            self.transport.abort()
        self.resume_writing()


class Pool:
    """The connections to one upstream. As many are kept idle as were busy; each only as long as the settings say."""

    def __init__(self, upstream: ResolvedUpstream, counters: Counters, loop: asyncio.AbstractEventLoop) -> None:
        self.upstream = upstream
        self._counters = counters.words
        self._loop = loop
        self._idle: deque[UpstreamConnection] = deque()  # longest idle first
        self._idle_s = upstream.idle_s()
        self._near = upstream.host in ("127.0.0.1", "::1", "localhost")
        self._ssl = ssl.create_default_context() if upstream.scheme == "https" else None
        self._sweep: asyncio.TimerHandle | None = None

    def take(self) -> UpstreamConnection | None:
        """An idle connection, the last used first; None when there is none."""
        while self._idle:
            connection = self._idle.pop()
            self._counters[_IDLE] -= 1
            if not connection.closed:
                return connection
        return None

    async def connect(self) -> UpstreamConnection:
        """A fresh connection. Raises OSError (ssl.SSLError included) or TimeoutError after connect_s."""
        upstream = self.upstream
        async with asyncio.timeout(upstream.connect_s):
            transport, connection = await self._loop.create_connection(
                lambda: UpstreamConnection(self._loop),
                upstream.host,
                upstream.port,
                ssl=self._ssl,
                server_hostname=upstream.host if self._ssl else None,
            )
        if not self._near:  # a model loads for minutes; boxes on the way forget silent connections
            sock = transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose answer is at its clean end."""
        connection.receiver = None
        if connection.closed:
            return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        self._counters[_IDLE] += 1
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle_s, self._close_idle)

    def close(self) -> None:
        """Close what is idle."""
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            self._idle.pop().abort()
            self._counters[_IDLE] -= 1

    def _close_idle(self) -> None:
        now = self._loop.time()
        while self._idle and (self._idle[0].closed or now - self._idle[0].idle_since >= self._idle_s):
            self._idle.popleft().abort()
            self._counters[_IDLE] -= 1
        if self._idle:
            wait_s = max(self._idle_s - (now - self._idle[0].idle_since), 0.01)
            self._sweep = self._loop.call_later(wait_s, self._close_idle)
        else:
            self._sweep = None
