"""What leads to one upstream: its connections, its lines in each head, and what it has shown of itself."""

from __future__ import annotations

import asyncio

from proxy.core.upstreams import ResolvedUpstream
from proxy.journal.counters import Counters
from proxy.relay.call import Call
from proxy.relay.connection import Pool
from proxy.relay.heads import Vouched
from proxy.relay.request import Request
from proxy.relay.usage_refusals import UsageRefusals


class Lane:
    """One upstream as the calls of one relay process see it."""

    __slots__ = ("_host_line", "_key_line", "pool", "upstream", "usage_refusals")

    def __init__(self, upstream: ResolvedUpstream, counters: Counters, loop: asyncio.AbstractEventLoop) -> None:
        self.upstream = upstream
        self.pool = Pool(upstream, counters, loop)
        self.usage_refusals = UsageRefusals()
        netloc = upstream.netloc
        self._host_line = b"Host: %b\r\n" % (netloc.encode() if netloc.isascii() else netloc.encode("idna"))
        self._key_line = b""
        if upstream.key is not None:
            self._key_line = b"Authorization: Bearer %b\r\n" % upstream.key.encode("latin-1")

    def head_for(self, call: Call, request: Request, *, length: int | None, trace_line: bytes) -> bytes:
        """The request's head as it goes to this upstream. `length`: of the body; None: it streams, chunked."""
        known = request.known
        if known is not None and length is not None and not trace_line and request.vouched is Vouched.NOT:
            around = known.sent_by.get(self)
            if around is None:  # the same each time, but for its length; no head has a NUL
                before, _, behind = self._head(call, request, b"\0", trace_line).partition(b"\0")
                around = known.sent_by[self] = before, behind
            return b"%bContent-Length: %d\r\n%b" % (around[0], length, around[1])
        if length is None:
            framing = b"Transfer-Encoding: chunked\r\n"
        else:
            framing = b"Content-Length: %d\r\n" % length if length or request.head.length is not None else b""
        return self._head(call, request, framing, trace_line)

    def _head(self, call: Call, request: Request, framing: bytes, trace_line: bytes) -> bytes:
        return request.head.to_upstream(
            call.notes.method.encode("ascii"),
            call.notes.target.encode("latin-1"),
            host_line=self._host_line,
            key_line=self._key_line,
            framing=framing,
            trace_line=trace_line,
            keep_tracestate=call.notes.parent_span_id is not None,
            vouched=request.vouched,
        )
