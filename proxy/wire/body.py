"""The kept body of an answer as we look at it: unpacked, with its gap, its form and the times of its bytes. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, Literal

import msgspec

from proxy.core.exchange import Exchange, Pieces
from proxy.wire.headers import parse_head
from proxy.wire.meaning import Unread
from proxy.wire.unpacking import codings_of, unpack

Form = Literal["empty", "json", "sse", "ndjson"]
_SSE_EVENTS: Final = (b"data:", b"event:", b"\xef\xbb\xbfdata:")  # no JSON begins so
_SSE_STARTS: Final = (*_SSE_EVENTS, b"id:", b"retry:", b":")


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """A body to read. Offsets count the bytes of the whole (unpacked) body, the gap's included."""

    body: bytes  # what is there, head and tail joined
    content_type: str = ""  # lower case, without parameters
    gap_at: int | None = None  # in `body`: the bytes before a gap; None = no gap
    gap_bytes: int = 0
    ends: tuple[int, ...] | None = None  # of a packed body: bytes that could be read after each piece
    trouble: Unread | None = None

    def form(self) -> Form:
        """How the body is framed: as its content type says, else as it looks."""
        if not self.body or self.body.isspace():
            return "empty"
        if "event-stream" in self.content_type:
            return "sse"
        if "ndjson" in self.content_type or "jsonl" in self.content_type:
            return "ndjson"
        if self.body.lstrip().startswith(_SSE_STARTS if not self.content_type else _SSE_EVENTS):
            return "sse"  # also as text/plain or application/json: SDKs read it without a look at the type
        return "json"

    def parts(self) -> Iterator[tuple[bytes, int]]:
        """(bytes, how many are missing before them)."""
        if self.gap_at is None:
            yield self.body, 0
        else:
            yield self.body[: self.gap_at], 0
            yield self.body[self.gap_at :], self.gap_bytes

    def piece_ends(self, pieces: Pieces) -> list[int]:
        """Offset behind each piece that the relay read."""
        return list(self.ends if self.ends is not None else accumulate(pieces.sizes))


def look_at(exchange: Exchange, *, hidden: bytes | None = None) -> Looked:
    """The answer's body of a call. Packed bodies behind a gap cannot be unpacked: only what is before it is read.

    hidden: what must not be seen in a packed body, where the relay cannot see it; as many stars take its place.
    """
    finished = exchange.finished
    content_type, encoding = "", ""
    for name, value in parse_head(exchange.answer_head, b"content-"):
        if name == b"content-type":
            content_type = value.decode("latin-1").partition(";")[0].strip().lower()
        elif name == b"content-encoding":
            encoding = f"{encoding},{value.decode('latin-1')}"
    cut = finished.answer_cut > 0
    codings = codings_of(encoding) if encoding else ()
    if not codings:
        return Looked(
            body=exchange.answer_body,
            content_type=content_type,
            gap_at=finished.answer_head_kept if cut else None,
            gap_bytes=finished.answer_cut,
            trouble="cut" if cut else None,
        )
    kept = exchange.answer_body[: finished.answer_head_kept] if cut else exchange.answer_body
    unpacked = unpack(_as_read(kept, exchange.pieces), codings)
    body = unpacked.body.replace(hidden, b"*" * len(hidden)) if hidden else unpacked.body
    return Looked(
        body=body,
        content_type=content_type,
        gap_at=len(unpacked.body) if cut else None,
        ends=unpacked.ends,
        trouble="cut" if cut and unpacked.trouble is None else unpacked.trouble,
    )


def piece_of(ends: Sequence[int], offset: int) -> int | None:
    """Index of the piece that brought the byte before `offset`; None when the pieces do not reach that far."""
    place = bisect_left(ends, offset)
    return place if place < len(ends) else None


def _as_read(body: bytes, pieces: Pieces) -> Iterator[bytes]:
    """The body cut as it was read; what no piece accounts for comes last."""
    start = 0
    for size in pieces.sizes:
        yield body[start : start + size]
        start += size
    if start < len(body):
        yield body[start:]
