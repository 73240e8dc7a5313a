"""An upstream's answer as a parser reads it: strictly, one reading or none.

The parser is llhttp in its strict mode, and what that still lets through is refused here. What can be read in two ways
is no answer. `feed` raises MalformedError; what a read brought lies in `body` until the passage takes it.
"""

from __future__ import annotations

import itertools
import re
from typing import Final

import httptools

from proxy.relay.heads import AnswerHead

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # llhttp lets these pass in a reason phrase
_HTTP_1_1: Final = b"HTTP/1.1"
_HTTP_1_0: Final = b"HTTP/1.0"
_BEHIND_1XX: Final = b"HTTP/1.?"  # not noted for a second head; the first one was HTTP
# Longest head of an answer, what comes before it (1xx) included. nginx takes 4-8 KiB, Envoy 60 KiB, Ollama sends 0.3.
_HEAD_BYTES: Final = 64 * 1024


class MalformedError(Exception):
    """The answer is not HTTP, or not in one reading; its text says how."""


class AnswerReader:
    """Reads one answer."""

    __slots__ = (
        "_closed",
        "_for_head_only",
        "_for_http_1_0",
        "_headers",
        "_interim",
        "_parser",
        "_reason",
        "_start",
        "_start_bytes",
        "_without_body",
        "body",
        "complete",
        "head",
        "in_chunk",
        "reusable",
        "status",
    )

    def __init__(self, *, head_only: bool, http_1_0: bool) -> None:
        """`head_only`: HEAD was asked. `http_1_0`: the client speaks that."""
        self._for_head_only, self._for_http_1_0 = head_only, http_1_0
        self._parser: httptools.HttpResponseParser | None = None
        self._closed = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._interim = False
        self._start = b""  # first bytes of the answer
        self._start_bytes = 0  # read before the head was whole
        self._without_body = 0  # bytes read in a row that were chunk sizes, extensions or trailers
        self.head: AnswerHead | None = None
        self.status = 0
        self.body: list[bytes] = []  # of the reads since the passage took it
        self.in_chunk = False
        self.complete = False
        self.reusable = False  # the connection is at a clean end and may carry another call

    def feed(self, data: bytes) -> None:
        """One read. Raises MalformedError."""
        if self._closed:
            return
        if self.head is None:
            if self._parser is None:
                self._parser = httptools.HttpResponseParser(self)
            self._start_bytes += len(data)
            if len(self._start) < len(_HTTP_1_1):
                self._start += data[: len(_HTTP_1_1) - len(self._start)]
        try:
            if self._parser is not None:
                self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise MalformedError("it switched protocols unasked") from None
        except httptools.HttpParserError as error:
            if not self.complete:
                raise MalformedError(str(error.__context__ or error)[:200]) from None
            self.reusable = False
        if self.head is None:
            if self._start_bytes > _HEAD_BYTES:
                raise MalformedError("its head is too long")
        elif self.body:
            self._without_body = 0
        elif not self.complete:
            self._without_body += len(data)
            if self._without_body > _HEAD_BYTES:
                raise MalformedError("its chunks or trailers are too long")

    def close(self) -> None:
        """No more is read. Parser and reader hold each other: let go, or only the collector would free them."""
        self._parser = None
        self._closed = True

    # -- what the parser tells -------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False  # bytes behind the end: the answer is whole, the connection is not to be trusted

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head is None:  # else a trailer: hop-by-hop
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.complete:
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
        self.status = status
        self.head = AnswerHead(
            status,
            self._reason,
            self._headers,
            http_1_0=self._for_http_1_0,
            no_body=self._for_head_only,
            http_1_0_in=version == "1.0",
        )
        if self._for_head_only:
            self.complete = True  # the parser cannot know that no body follows: the connection is not used again

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.body.append(body)

    def on_chunk_header(self) -> None:
        self.in_chunk = True

    def on_chunk_complete(self) -> None:
        self.in_chunk = False

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
            self._start = _BEHIND_1XX
            self._headers.clear()
            self._reason = b""
        elif not self.complete:
            self.complete = True
            assert self._parser is not None
            until_close = self.head is not None and self.head.until_close
            self.reusable = self._parser.should_keep_alive() and not until_close
