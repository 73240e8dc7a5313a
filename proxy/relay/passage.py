"""One attempt: the answer of an upstream connection on its way to the client.

    read ──▶ (parser) ──▶ head rebuilt, body noted, extra usage event taken out ──▶ framed anew ──▶ one write
                                                                                      │
                           at the end: finished frame first, then the last bytes ◀────┘

What can be read in two ways is no answer (relay/answer). A read that is exactly one whole chunk needs no parser and
passes with its own framing.
"""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from typing import Final

from proxy.core.upstreams import SECRET_BYTES, ResolvedUpstream
from proxy.relay import faults
from proxy.relay.answer import AnswerReader, MalformedError
from proxy.relay.call import Call
from proxy.relay.client import Client
from proxy.relay.connection import UpstreamConnection
from proxy.relay.faults import Fault
from proxy.relay.heads import AnswerHead
from proxy.relay.key_filter import KeyFilter, KeyRepeatedError, SealedError
from proxy.relay.known_answers import KnownAnswers
from proxy.wire.injection import UsageFilter, unasked_style

_LAST_CHUNK: Final = b"0\r\n\r\n"
# What servers answer to a request with a field that they do not know: 400, and 422 where pydantic reads it.
_FIELD_REFUSED: Final = (400, 422)
# An event stream with a Content-Length, from which we take something out, is held to its end if no longer than this.
HELD_BYTES: Final = 1024 * 1024


class Passage:
    """Receives what the upstream sends and passes it on. `done` gets None, or the fault that ended it."""

    __slots__ = (
        "_answer",
        "_by_chunk",
        "_call",
        "_chunked_in",
        "_client",
        "_connection",
        "_filter",
        "_head",
        "_held",
        "_injected",
        "_known",
        "_paused",
        "_sealed",
        "_since",
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
        done: asyncio.Future[Fault | None],
        *,
        injected: bool,
        known: KnownAnswers,
    ) -> None:
        self._call, self._client, self._connection = call, client, connection
        self._upstream = upstream
        self.done = done
        self.answered = False  # a byte of an answer came: then the request is never sent again
        self.head_sent = False
        self.stopped_asking = False  # what came is of no use to a client that did not ask for usage: ask without
        self.reusable = False  # the connection is at a clean end and may carry another call
        self._answer: AnswerReader | None = None
        self._head: AnswerHead | None = None
        self._held: list[bytes] | None = None
        self._filter: UsageFilter | KeyFilter | None = None
        self._sealed: SealedError | None = None
        self._injected = injected
        usual = not injected and upstream.key is None and client.persistent
        self._known = known if usual and not (client.head_only or client.http_1_0) else None
        self._chunked_in = self._by_chunk = self._paused = False
        self._since = 0.0  # since when the upstream has been silent, if nothing was read after it
        connection.receiver = self

    # -- what the handler does -------------------------------------------------------------------------------

    def wait(self) -> None:
        """The request is sent: from now on the upstream's silence is measured."""
        if not self.done.done():
            self._since = time.monotonic()

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
        answer = self._answer
        first = answer is None
        if answer is None:
            self.answered = True
            if self._known is not None and self._since and (found := self._known.find(data)) is not None:
                self._pass_known(*found, now)
                return
            client = self._client
            self._answer = answer = AnswerReader(head_only=client.head_only, http_1_0=client.http_1_0)
        elif self._by_chunk and not answer.in_chunk and self._pass_chunk(data, now):
            return
        try:
            answer.feed(data)
        except MalformedError as error:
            if self._head is None and answer.head is not None:
                self._read_head(answer.head, answer.status)
            self._fail(faults.MALFORMED, str(error))
            return
        if self._head is None and answer.head is not None:
            self._read_head(answer.head, answer.status)
            if first and answer.reusable and self._known is not None:
                self._known.learn(data, answer.head)
        if self._chunked_in and not data.endswith(b"\r\n"):
            answer.in_chunk = True  # perhaps inside a chunk's size: let the parser see the next read
        self._flush(answer, now)

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self.done.done():
            return
        answer = self._answer
        if error is None and answer is not None and self._head is not None and self._head.until_close:
            answer.complete = True
            self._flush(answer, time.monotonic())
        elif self._head is not None:
            self._fail(faults.BROKE_OFF, None if error is None else _words(error))
        else:
            self._fail(faults.CLOSED if error is None else faults.RESET, None)

    def look(self, now: float) -> None:
        """Now and then: end when the client left unseen, or when the upstream has been silent for too long."""
        if self.done.done() or not self._since:
            return
        if self._client.left_unseen():
            self._client.leave()
            return
        if self._paused:
            return
        last = self._call.last_read_at
        since = self._since if last is None or last < self._since else last
        limit_s = self._upstream.between_bytes_s if self.answered else self._upstream.first_byte_s
        if now - since >= limit_s:
            self._fail(faults.BETWEEN_BYTES_TIMEOUT if self.answered else faults.FIRST_BYTE_TIMEOUT, None)

    # -- passing on ------------------------------------------------------------------------------------------

    def _pass_known(self, head: bytes, kept: bytes, body: bytes, now: float) -> None:
        """Pass on a whole answer whose head was read before."""
        call = self._call
        notes = call.notes
        call.headers_at = now
        notes.status = notes.upstream_status = 200
        notes.response_bytes = len(body)
        call.answer_head = kept
        call.sent_by_upstream(body, now)
        self.head_sent = self.reusable = True
        self._end(b"%bx-request-id: %b\r\n\r\n%b" % (head, notes.request_id.encode("ascii", "replace"), body))

    def _pass_chunk(self, data: bytes, now: float) -> bool:
        """Pass on a read that is exactly one whole chunk, as it is. False: it is not."""
        size_line = _size_line(len(data))
        if not (size_line and data.startswith(size_line) and data.endswith(b"\r\n")):
            return False
        body = data[len(size_line) : -2]
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

    def _flush(self, answer: AnswerReader, now: float) -> None:
        """Send what the last read brought; at the end of the answer the finished frame goes first."""
        if self.stopped_asking:
            self._end(b"")
            return
        out = b""
        if answer.body:
            body = answer.body[0] if len(answer.body) == 1 else b"".join(answer.body)
            answer.body.clear()
            self._call.sent_by_upstream(body, now)
            out = self._filter.feed(body) if self._filter is not None else body
        if answer.complete and self._filter is not None:
            out += self._filter.flush()
        if self._sealed is not None:
            try:
                opened = self._sealed.feed(out, complete=answer.complete)
            except KeyRepeatedError:
                self._call.forget_body()
                self._fail(faults.KEY_REPEATED, None)
                return
            if opened is None:
                return
            out, self._sealed = opened, None
        if self._held is not None:
            held = self._take_held(out, complete=answer.complete)
            if held is None:
                return
            out = held
        if self._head is None:
            return
        self._call.notes.response_bytes += len(out)
        if self._head.framing == "chunked":
            out = b"%x\r\n%b\r\n" % (len(out), out) if out else b""
            if answer.complete:
                out += _LAST_CHUNK
        if not self.head_sent:
            self.head_sent = True
            request_id = self._call.notes.request_id.encode("ascii", "replace")
            client = self._client
            out = self._head.to_client(request_id, keep_alive=client.persistent, http_1_0=client.http_1_0) + out
        if answer.complete:
            self.reusable = answer.reusable
            self._end(out)
        elif out:
            self._send(out)

    def _send(self, data: bytes) -> None:
        self._client.send(data)
        if self._client.writing_paused:
            self.pause()

    def _read_head(self, head: AnswerHead, status: int) -> None:
        """The upstream's head is whole: decide how the body passes."""
        call, client = self._call, self._client
        call.headers_at = call.last_read_at
        call.notes.upstream_status = status
        if self._injected and (status in _FIELD_REFUSED or head.sealed_events):
            self.stopped_asking = True
            return
        self._head = head
        call.notes.status = status
        call.take_request_id(head.request_id)
        if self._injected and status == 200 and head.readable_events:
            path = call.notes.target.partition("?")[0]
            self._filter = UsageFilter(unasked_style(path, litellm=head.from_litellm))
        key = self._upstream.key
        if key is not None and (status >= 400 or len(key) >= SECRET_BYTES):
            self._hide_key(key.encode("latin-1"), head, in_body=status >= 400)
        call.answer_head = head.kept()
        if isinstance(self._filter, UsageFilter) and head.length is not None:
            # A length of its own, from which something may be taken out: the rest's length is known at its end.
            if head.length <= HELD_BYTES:
                self._held = []
            else:
                head.frame("close" if client.http_1_0 else "chunked")
        if head.framing == "close" or not self._since:
            client.persistent = False  # or the body is still under way: nobody will read its rest
        self._chunked_in = head.chunked_in
        # A whole chunk may pass as it is.
        self._by_chunk = head.chunked_in and head.framing == "chunked" and self._sealed is None

    def _hide_key(self, key: bytes, head: AnswerHead, *, in_body: bool) -> None:
        """Servers like to repeat a wrong key in their error: ours reaches neither the client nor the journal.

        The body of an answer that is no error passes as it is; what is kept of it lacks the key, too.
        """
        if in_body and SealedError.opens(head.coding):
            self._sealed = SealedError(key, head.coding or b"")
        elif in_body:
            self._filter = KeyFilter(key)  # it keeps every length
        head.strike(key)
        self._call.hidden = key

    def _take_held(self, out: bytes, *, complete: bool) -> bytes | None:
        """Keep `out` back; at the end give all that was held, its length told in the head. None: not yet."""
        assert self._held is not None
        assert self._head is not None
        self._held.append(out)
        if not complete:
            return None
        whole = b"".join(self._held)
        self._held = None
        self._head.frame("length", length=len(whole))
        return whole

    # -- ends ------------------------------------------------------------------------------------------------

    def _end(self, last: bytes) -> None:
        """The answer is whole: keep it, then let the client have its end."""
        if self.done.done():
            return  # the client has left, and whoever waited is about to abandon us
        self.resume()
        self._close()
        self._connection.receiver = None
        if not self.stopped_asking:
            self._call.finish(None)
            self._call.send(self._client.send, last)
        self.done.set_result(None)

    def _fail(self, fault: Fault, detail: str | None) -> None:
        if self.done.done():
            return
        self._close()
        self._connection.abort()
        if detail is not None:
            fault = fault._replace(message=f"{fault.message.rstrip('.')}: {detail}")
        self.done.set_result(fault)

    def _close(self) -> None:
        """No more is read."""
        if self._answer is not None:
            self._answer.close()


@lru_cache(maxsize=4096)
def _size_line(whole: int) -> bytes:
    """How a chunk begins that is `whole` bytes long with all its framing; empty: none is so long.

    As every server of ours writes it: plain size in lower case, no extension. The parser reads the other ways.
    """
    for digits in range(1, 8):
        size = whole - digits - 4
        if size > 0 and len(f"{size:x}") == digits:
            return b"%x\r\n" % size
    return b""


def _words(error: Exception) -> str:
    """An operating system's error in words, without addresses."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__
