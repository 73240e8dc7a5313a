"""One attempt: the answer of an upstream connection on its way to the client.

    read ──▶ (parser) ──▶ head rebuilt, body noted, extra usage event taken out ──▶ framed anew ──▶ one write
                                                                                      │
                           at the end: finished frame first, then the last bytes ◀────┘

The parser is llhttp in its strict mode: what can be read in two ways is no answer. A read that is exactly one whole
chunk needs no parser and passes with its own framing.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from typing import Final, Protocol

import httptools

from proxy.core.upstreams import ResolvedUpstream
from proxy.relay import faults
from proxy.relay.call import Call
from proxy.relay.connection import UpstreamConnection
from proxy.relay.deadlines import Deadlines
from proxy.relay.faults import Fault
from proxy.relay.heads import AnswerHead
from proxy.wire.injection import UsageFilter, unasked_style

# A chunk as every server of ours writes it: plain size, no extension.
_CHUNK_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,7})\r\n")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # llhttp lets these pass in a reason phrase
_LAST_CHUNK: Final = b"0\r\n\r\n"
_HTTP_1_1: Final = b"HTTP/1.1"
_HTTP_1_0: Final = b"HTTP/1.0"
_BEHIND_1XX: Final = b"HTTP/1.?"  # not noted for a second head; the first one was HTTP
# Longest head of an answer, what comes before it (1xx) included. nginx takes 4-8 KiB, Envoy 60 KiB, Ollama sends 0.3.
_HEAD_BYTES: Final = 64 * 1024
# What servers answer to a request with a field that they do not know: 400, and 422 where pydantic reads it.
_FIELD_REFUSED: Final = (400, 422)
# An event stream with a Content-Length, from which we take something out, is held to its end if no longer than this.
HELD_BYTES: Final = 1024 * 1024


class Client(Protocol):
    """The client's side of a passage."""

    answered: bool
    head_only: bool
    http_1_0: bool
    persistent: bool

    @property
    def writing_paused(self) -> bool:
        """Whether the client is slow and more should wait."""

    def send(self, data: bytes) -> None:
        """Write to the client's socket; never blocks."""

    def left_unseen(self) -> bool:
        """Whether the client left while nothing is read from it."""

    def leave(self) -> None:
        """Break the client's connection, as if it had been seen to leave."""


class Passage:
    """Receives what the upstream sends and passes it on. `done` gets None, or the fault that ended it."""

    __slots__ = (
        "_body",
        "_by_chunk",
        "_call",
        "_chunked_in",
        "_client",
        "_complete",
        "_connection",
        "_deadlines",
        "_filter",
        "_head",
        "_headers",
        "_held",
        "_in_chunk",
        "_injected",
        "_interim",
        "_parser",
        "_paused",
        "_reason",
        "_since",
        "_start",
        "_start_bytes",
        "_upstream",
        "answered",
        "done",
        "head_sent",
        "reusable",
        "stopped_asking",
    )

    def __init__(
        self,
        call: Call,
        client: Client,
        connection: UpstreamConnection,
        upstream: ResolvedUpstream,
        deadlines: Deadlines,
        done: asyncio.Future[Fault | None],
        *,
        injected: bool,
    ) -> None:
        self._call, self._client, self._connection = call, client, connection
        self._upstream, self._deadlines = upstream, deadlines
        self.done = done
        self.answered = False  # a byte of an answer came: then the request is never sent again
        self.head_sent = False
        self.reusable = False  # the connection is at a clean end and may carry another call
        self.stopped_asking = False  # what came is of no use to a client that did not ask for usage: ask without
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._head: AnswerHead | None = None
        self._body: list[bytes] = []  # of the read at hand
        self._held: list[bytes] | None = None
        self._filter: UsageFilter | None = None
        self._injected = injected
        self._chunked_in = self._in_chunk = self._by_chunk = False
        self._interim = self._complete = self._paused = False
        self._start = b""  # first bytes of the answer
        self._start_bytes = 0  # read before the head was whole
        self._since = 0.0  # since when the upstream has been silent, if nothing was read after it
        connection.receiver = self

    # -- what the handler does -------------------------------------------------------------------------------

    def wait(self) -> None:
        """The request is sent: from now on the upstream's silence is measured."""
        if not self.done.done():
            self._since = time.monotonic()
            self._deadlines.watch(self)

    def abandon(self) -> None:
        """The client left or we stop: break the upstream's connection, so that it stops, too."""
        self._close()
        self._connection.abort()
        if not self.done.done():
            self.done.cancel()

    @property
    def patience_s(self) -> float:
        """How long the upstream may take nothing of a request, or say nothing to it."""
        return self._upstream.first_byte_s

    def give_up(self, fault: Fault) -> None:
        """The request could not be sent whole: break the upstream's connection and end with this fault."""
        if not self.done.done():
            self._fail(fault, None)

    def pause(self) -> None:
        """The client is slow: take no more from the upstream."""
        if self._paused or self.done.done():
            return  # at the end the connection goes back to the pool: paused, it would be deaf to the next call
        if self._connection.transport is not None and not self._connection.closed:
            self._paused = True
            self._connection.transport.pause_reading()

    def resume(self) -> None:
        """The client takes more again."""
        if self._paused and self._connection.transport is not None and not self._connection.closed:
            self._paused = False
            self._since = time.monotonic()  # the silence was ours
            self._connection.transport.resume_reading()

    # -- what the connection tells ---------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """One read from the upstream."""
        self._call.last_read_at = now = time.monotonic()
        if self._by_chunk and not self._in_chunk and self._pass_chunk(data, now):
            return
        self.answered = True
        if self._head is None:
            self._start_bytes += len(data)
            if len(self._start) < len(_HTTP_1_1):
                self._start += data[: len(_HTTP_1_1) - len(self._start)]
        try:
            if self._parser is not None:
                self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(faults.MALFORMED, "it switched protocols unasked")
            return
        except httptools.HttpParserError as error:
            if not self._complete:
                self._fail(faults.MALFORMED, str(error.__context__ or error)[:200])
                return
            self.reusable = False
        if self._head is None and self._start_bytes > _HEAD_BYTES:
            self._fail(faults.MALFORMED, "its head is too long")
            return
        if self._chunked_in and not data.endswith(b"\r\n"):
            self._in_chunk = True  # perhaps inside a chunk's size: let the parser see the next read
        self._flush(now)

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self.done.done():
            return
        if error is None and self._head is not None and self._head.until_close:
            self._complete = True
            self._flush(time.monotonic())
        elif self._head is not None:
            self._fail(faults.BROKE_OFF, None if error is None else _words(error))
        else:
            self._fail(faults.CLOSED if error is None else faults.RESET, None)

    def look(self, now: float) -> None:
        """Now and then: end when the client left unseen, or when the upstream has been silent for too long."""
        if self._client.left_unseen():
            self._client.leave()
            return
        if self._paused or self.done.done():
            return
        last = self._call.last_read_at
        since = self._since if last is None or last < self._since else last
        limit_s = self._upstream.between_bytes_s if self.answered else self._upstream.first_byte_s
        if now - since >= limit_s:
            self._fail(faults.BETWEEN_BYTES_TIMEOUT if self.answered else faults.FIRST_BYTE_TIMEOUT, None)

    # -- what the parser tells -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            self.reusable = False  # bytes behind the end: the answer is whole, the connection is not to be trusted

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is None and not self.head_sent:  # else a trailer: hop-by-hop
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._complete:
            return  # of bytes behind the end
        assert self._parser is not None
        status, version = self._parser.get_status_code(), "1.1"
        if self._start != _HTTP_1_1:  # llhttp takes RTSP, ICE and other versions, too
            version = self._parser.get_http_version()
            if self._start not in (_HTTP_1_0, _BEHIND_1XX) or version not in ("1.1", "1.0"):
                raise ValueError("neither HTTP/1.1 nor HTTP/1.0")
        if 100 <= status < 200 and status != 101:
            self._interim = True
            return
        if not 200 <= status <= 599:
            raise ValueError(f"status {status}")
        if self._start_bytes > _HEAD_BYTES and sum(map(len, itertools.chain(*self._headers))) > _HEAD_BYTES:
            raise ValueError("its head is too long")
        if self._reason != b"OK" and _CONTROL.search(self._reason):
            raise ValueError("control bytes in its first line")
        self._read_head(status, http_1_0=version == "1.0")

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._body.append(body)

    def on_chunk_header(self) -> None:
        self._in_chunk = True

    def on_chunk_complete(self) -> None:
        self._in_chunk = False

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
            self._start = _BEHIND_1XX
            self._headers.clear()
            self._reason = b""
        elif not self._complete:
            self._complete = True
            assert self._parser is not None
            until_close = self._head is not None and self._head.until_close
            self.reusable = self._parser.should_keep_alive() and not until_close

    # -- passing on ------------------------------------------------------------------------------------------

    def _pass_chunk(self, data: bytes, now: float) -> bool:
        """Pass on a read that is exactly one whole chunk, as it is. False: it is not."""
        size = _CHUNK_SIZE.match(data)
        if size is None or not data.endswith(b"\r\n"):
            return False
        body = data[size.end() : -2]
        if len(body) != int(size[1], 16) or not body:
            return False
        self._call.sent_by_upstream(body, now)
        if self._filter is not None:
            seen = self._filter.feed(body)
            if seen is not body:
                if not seen:
                    return True
                data = b"%x\r\n%b\r\n" % (len(seen), seen)
                body = seen
        self._call.notes.response_bytes += len(body)
        client = self._client
        client.send(data)
        if client.writing_paused:
            self.pause()
        return True

    def _flush(self, now: float) -> None:
        """Send what the last read brought; at the end of the answer the finished frame goes first."""
        if self.stopped_asking:
            self._end(b"")
            return
        out = b""
        if self._body:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body.clear()
            self._call.sent_by_upstream(body, now)
            out = self._filter.feed(body) if self._filter is not None else body
        if self._complete and self._filter is not None:
            out += self._filter.flush()
        if self._held is not None:
            held = self._take_held(out)
            if held is None:
                return
            out = held
        if self._head is None:
            return
        self._call.notes.response_bytes += len(out)
        if self._head.framing == "chunked":
            out = b"%x\r\n%b\r\n" % (len(out), out) if out else b""
            if self._complete:
                out += _LAST_CHUNK
        if not self.head_sent:
            self.head_sent = True
            request_id = self._call.notes.request_id.encode("ascii", "replace")
            client = self._client
            out = self._head.to_client(request_id, keep_alive=client.persistent, http_1_0=client.http_1_0) + out
        if self._complete:
            self._end(out)
        elif out:
            self._send(out)

    def _send(self, data: bytes) -> None:
        self._client.send(data)
        if self._client.writing_paused:
            self.pause()

    def _read_head(self, status: int, *, http_1_0: bool) -> None:
        """The upstream's head is whole: decide how the body passes."""
        call, client = self._call, self._client
        call.headers_at = call.last_read_at
        call.notes.upstream_status = status
        head = AnswerHead(
            status,
            self._reason,
            self._headers,
            http_1_0=client.http_1_0,
            no_body=client.head_only,
            http_1_0_in=http_1_0,
        )
        if self._injected and (status in _FIELD_REFUSED or head.sealed_events):
            self.stopped_asking = True
            return
        self._head = head
        call.notes.status = status
        call.answer_head = head.kept()
        call.take_request_id(head.request_id)
        if self._injected and status == 200 and head.readable_events:
            path = call.notes.target.partition("?")[0]
            self._filter = UsageFilter(unasked_style(path, litellm=head.from_litellm))
        if self._filter is not None and head.length is not None:
            # A length of its own, from which something may be taken out: the rest's length is known at its end.
            if head.length <= HELD_BYTES:
                self._held = []
            else:
                head.frame("close" if client.http_1_0 else "chunked")
        if head.framing == "close":
            client.persistent = False
        self._chunked_in = head.chunked_in
        self._by_chunk = head.chunked_in and head.framing == "chunked"  # a whole chunk may pass as it is
        if client.head_only:
            self._complete = True  # the parser cannot know that no body follows: the connection is not used again

    def _take_held(self, out: bytes) -> bytes | None:
        """Keep `out` back; at the end give all that was held, its length told in the head. None: not yet."""
        assert self._held is not None
        assert self._head is not None
        self._held.append(out)
        if not self._complete:
            return None
        whole = b"".join(self._held)
        self._held = None
        self._head.frame("length", length=len(whole))
        return whole

    # -- ends ------------------------------------------------------------------------------------------------

    def _end(self, last: bytes) -> None:
        """The answer is whole: keep it, then let the client have its end."""
        self.resume()
        self._close()
        self._connection.receiver = None
        if self.stopped_asking:
            self.reusable = False
        else:
            self._call.finish(None)
            self._call.send(self._client.send, last)
        self.done.set_result(None)

    def _fail(self, fault: Fault, detail: str | None) -> None:
        self._close()
        self._connection.abort()
        if detail is not None:
            fault = fault._replace(message=f"{fault.message.rstrip('.')}: {detail}")
        self.done.set_result(fault)

    def _close(self) -> None:
        """No more is read. Parser and passage hold each other: let go, or only the collector would free them."""
        self._deadlines.forget(self)
        self._parser = None


def _words(error: Exception) -> str:
    """An operating system's error in words, without addresses."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__
