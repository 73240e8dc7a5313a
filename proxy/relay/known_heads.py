"""Heads that came before: the same bytes are read the same again, so they are read once.

A program sends the same head with each call, but for the length of its body. So a head is known by its bytes without
the digits of its Content-Length. What is kept of it is what parser, gate and rules made of exactly these bytes; the
parser never sees such a request, which is whole in one read and has nothing behind it. All else goes the long way.

Bounded: so many heads, none long. Only the event loop's thread. Pure.
"""

from __future__ import annotations

from typing import Final

from aiohttp.http_parser import RawRequestMessage

from proxy.relay.heads import RequestHead
from proxy.wire import routes

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\nContent-Length: "  # as nearly everybody writes it
_LENGTH_LOWER: Final = b"\r\ncontent-length: "  # as Node does
# SDKs send 0.5 to 1 KB. With all that is kept of it a head takes some five times its length in memory.
_HEAD_BYTES: Final = 4096
_HEADS: Final = 256
_DIGITS: Final = 8


class KnownHead:
    """One head as it was read, but for the length of the body."""

    __slots__ = ("_kept_before", "_kept_behind", "dialect", "head", "message", "sent_by", "user_agent")

    def __init__(self, message: RawRequestMessage, head: RequestHead, dialect: routes.Dialect) -> None:
        self.message = message
        self.head = head
        self.dialect = dialect
        self.user_agent = head.user_agent_text()
        # By lane: the head as it goes upstream, before and behind the line of its length.
        self.sent_by: dict[object, tuple[bytes, bytes]] = {}
        self._kept_before, self._kept_behind = head.kept_around_length()

    def kept(self, length: int) -> bytes:
        """The lines for the journal, with this length of the body."""
        return b"%b%d%b" % (self._kept_before, length, self._kept_behind)


class KnownHeads:
    """Those of one relay process. None is here that our rules would refuse whoever sends it."""

    def __init__(self, head_bytes: int) -> None:
        """`head_bytes`: the longest head that is taken at all."""
        self._longest = min(_HEAD_BYTES, head_bytes)
        self._known: dict[bytes, KnownHead] = {}

    def find(self, data: bytes) -> tuple[KnownHead, bytes] | None:
        """The head and the body of one whole request, when its head is known and nothing comes behind its body."""
        cut = _cut(data, self._longest)
        if cut is None:
            return None
        shape, end, length = cut
        known = self._known.get(shape)
        if known is None or len(data) - end != length:
            return None
        return known, data[end:]

    def learn(self, raw: bytes, message: RawRequestMessage, head: RequestHead, dialect: routes.Dialect) -> None:
        """Know this head from now on. `raw`: its bytes, as the message was read from them."""
        cut = _cut(raw, self._longest)
        if cut is None or cut[1] != len(raw) or message.upgrade:
            return
        if len(self._known) >= _HEADS:
            self._known.clear()
        self._known[cut[0]] = KnownHead(message, head, dialect)


def _cut(data: bytes, longest: int) -> tuple[bytes, int, int] | None:
    """A head without the digits of its length, where it ends, and that length; None: it has none of the usual form.

    The name begins behind a line end, so that it is no part of another field; a head has it once, else the gate had
    refused it. Where it stands in a body, a head's end is in what comes before it, as in no known head.
    """
    at = data.find(_LENGTH, 0, longest)
    if at < 0:
        at = data.find(_LENGTH_LOWER, 0, longest)
        if at < 0:
            return None
    begin = at + len(_LENGTH)
    stop = data.find(b"\r", begin, longest)
    end = data.find(_END, stop, longest) + len(_END)
    digits = data[begin:stop]
    if end < len(_END) or stop - begin > _DIGITS or not digits.isdigit() or digits.startswith(b"0"):
        return None
    return data[:begin] + data[stop:end], end, int(digits)
