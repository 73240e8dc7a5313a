"""The load generator's HTTP client: one connection by raw protocol, and an answer reader that may be cut anywhere.

It knows just enough of HTTP/1.1 to find the end of an answer, and complains about everything else.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Final, cast

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class BadAnswerError(Exception):
    """An answer that is not HTTP as we know it."""


class AnswerReader:
    """Reads one answer, fed in any cuts: feed(a), feed(b) gives what feed(a + b) gives.

    status: None until the head is whole. parts: the body, chunked coding taken off. length: bytes in parts.
    """

    __slots__ = ("_after_last", "_in_head", "_left", "_rest", "expected", "length", "parts", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.parts: list[bytes] = []
        self.length = 0
        self.expected: int | None = None  # Content-Length; None = chunked
        self._in_head = True
        self._rest = b""
        self._left = 0  # of the current chunk, its CRLF included
        self._after_last = False  # the chunk of size 0 was read

    @property
    def body(self) -> bytes:
        """The body so far."""
        return b"".join(self.parts)

    def feed(self, data: bytes) -> bool:
        """Take what one read brought; True when the answer is whole. Raises BadAnswerError."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if self._in_head:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return False
            self._read_head(data[: end + 2])
            data = data[end + 4 :]
        if self.expected is None:
            return self._feed_chunks(data)
        self._keep(data)
        if self.length > self.expected:
            raise BadAnswerError("bytes after the end")
        return self.length == self.expected

    def _read_head(self, head: bytes) -> None:
        self._in_head = False
        if not head.startswith(b"HTTP/1.1 ") or not head[9:12].isdigit():
            raise BadAnswerError(f"not an HTTP/1.1 answer: {head[:40]!r}")
        self.status = int(head[9:12])
        length = _LENGTH.search(head)
        if length:
            self.expected = int(length[1])
        elif not _CHUNKED.search(head):
            raise BadAnswerError("neither Content-Length nor chunked")

    def _keep(self, part: bytes) -> None:
        if part:
            self.parts.append(part)
            self.length += len(part)

    def _feed_chunks(self, data: bytes) -> bool:
        at, size = 0, len(data)
        while at < size:
            if self._left > 2:
                part = data[at : at + self._left - 2]
                self._keep(part)
                self._left -= len(part)
                at += len(part)
            elif self._left:
                step = min(self._left, size - at)
                if data[at : at + step] != b"\r\n"[2 - self._left :][:step]:
                    raise BadAnswerError("a chunk is longer than its size")
                self._left -= step
                at += step
            elif self._after_last:
                return self._read_end(data[at:])
            else:
                line_end = data.find(b"\r\n", at)
                if line_end < 0:
                    self._rest = data[at:]
                    return False
                self._read_size(data[at:line_end])
                at = line_end + 2
        return False

    def _read_size(self, line: bytes) -> None:
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise BadAnswerError(f"not a chunk size: {line[:20]!r}") from None
        self._left = size + 2 if size else 0
        self._after_last = not size

    def _read_end(self, rest: bytes) -> bool:
        if rest == b"\r":
            self._rest = rest
            return False
        if rest != b"\r\n":
            raise BadAnswerError(f"bytes after the last chunk: {rest[:20]!r}")
        return True


class Connection(asyncio.Protocol):
    """One connection that sends one request at a time.

    Of the answer under way: sent_at, and reads as (time, body bytes so far), times by time.perf_counter.
    ready is called once when connected, answered when an answer is whole, failed (with a reason) when it will never be.
    After a failure the connection is closed.
    """

    def __init__(
        self,
        *,
        ready: Callable[[Connection], None],
        answered: Callable[[Connection, AnswerReader], None],
        failed: Callable[[Connection, str], None],
    ) -> None:
        self._ready = ready
        self._answered = answered
        self._failed = failed
        self._reader: AnswerReader | None = None  # None = no request under way
        self.sent_at = 0.0
        self.reads: list[tuple[float, int]] = []
        self.key = 0  # for the owner's use

    @property
    def busy(self) -> bool:
        """An answer is awaited."""
        return self._reader is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the owner."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by class
        self._ready(self)

    def send(self, request: bytes) -> None:
        """Begin a call."""
        assert self._reader is None
        self._reader = AnswerReader()
        self.reads = []
        self.sent_at = time.perf_counter()
        self._transport.write(request)

    def close(self) -> None:
        """Close without further calls to the owner."""
        self._reader = None
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        now = time.perf_counter()
        reader = self._reader
        if reader is None:
            self._transport.abort()  # unasked bytes; an idle connection that breaks off is opened anew
            return
        try:
            whole = reader.feed(data)
        except BadAnswerError as exc:
            self._fail(str(exc))
            return
        self.reads.append((now, reader.length))
        if whole:
            self._reader = None
            self._answered(self, reader)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that was under way has failed."""
        if self._reader is not None:
            self._fail(f"broken off: {exc!r}" if exc else "broken off")

    def _fail(self, reason: str) -> None:
        self._reader = None
        self._transport.abort()
        self._failed(self, reason)
