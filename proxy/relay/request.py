"""A client's request as aiohttp's parser gives it, without what a web application would want of it.

aiohttp's own BaseRequest would look up, copy and make ready much that a call here never needs. What aiohttp itself
touches of the request under way are the names at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestPayloadError

from proxy.relay.heads import RequestHead, Vouched
from proxy.relay.known_heads import KnownHead

if TYPE_CHECKING:
    from proxy.relay.listener import ClientConnection


class Request:
    """One request: its head as it came, its body to be read."""

    __slots__ = (
        "body",
        "client",
        "content",
        "head",
        "keep_alive",
        "known",
        "message",
        "method",
        "raw_head",
        "target",
        "version",
        "vouched",
    )

    def __init__(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        client: ClientConnection,
        *,
        raw_head: bytes | None = None,
        known: KnownHead | None = None,
        body: bytes = b"",
    ) -> None:
        """`raw_head`: its bytes, when it was whole in one read. `known`: it came before; then `body` is all of it."""
        self.message = message
        self.content = payload
        self.client = client
        self.raw_head = raw_head
        self.known = known
        self.body = body
        self.head = RequestHead(message.raw_headers) if known is None else known.head
        self.vouched = Vouched.NOT  # whose credentials go upstream
        self.method: str = message.method
        self.target: str = message.path  # raw; foreign bytes as surrogates
        self.version: HttpVersion = message.version
        # The parser keeps HTTP/1.0 that says both; RFC 9112 section 9.3: close comes first.
        self.keep_alive = not (message.should_close or self.head.closes)

    def let_go_of_body(self) -> None:
        """The call is over: aiohttp need not read the rest of its body, nor meet its fault again."""
        if self.content.exception() is not None:
            self.content._exception = None
        self.content.feed_eof()

    def forget_fault(self) -> None:
        """Let go of the frames that met a fault of the body: they hold the body, and it the fault.

        Only the collector would find them, and it comes seldom.
        """
        fault = self.content.exception()
        if fault is not None:
            fault.__traceback__ = None

    def _finish(self) -> None:
        """aiohttp: the handler is done."""

    def _cancel(self, error: BaseException) -> None:
        """aiohttp: the client left; whoever reads the body must learn it."""
        if not self.content.is_eof():
            self.content.set_exception(RequestPayloadError(f"the client left: {error}"))
