"""Heads of answers that came before: the same bytes are read the same again, so they are read once.

A server's plain answers differ in length and date. So a head is known by its bytes without these two values. The parser
never sees an answer with a known head that is whole in one read; all else goes the long way, as do answers of servers
that write an id into each head.

Bounded: so many heads, none long. Only the event loop's thread. Pure.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.relay.heads import AnswerHead

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\nContent-Length: "
_LENGTH_LOWER: Final = b"\r\ncontent-length: "
# With its name, so that no other field's time is taken for it.
_DATE: Final = re.compile(
    rb"\r\n[Dd]ate: ([A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT)(?=\r\n)"
)
_HEAD_BYTES: Final = 4096
_HEADS: Final = 256
_DIGITS: Final = 8


# What stands before, between and behind length and date.
_Parts = tuple[bytes, ...]


class KnownAnswers:
    """The heads of one relay process: of status 200, with a length, nothing in them struck out, the connection kept."""

    def __init__(self) -> None:
        self._known: dict[_Parts, tuple[int, _Parts]] = {}  # as it comes -> bytes of the first line, and as it goes on

    def find(self, data: bytes) -> tuple[bytes, bytes, bytes] | None:
        """One whole answer of which the head is known, with nothing behind its body.

        Its head for the client, without the last line end; its lines for the journal; its body.
        """
        cut = _cut(data)
        if cut is None:
            return None
        parts, first, second, end, length = cut
        known = self._known.get(parts)
        if known is None or len(data) - end != length:
            return None
        line_bytes, parts = known
        if len(parts) == 3:
            head = b"%b%b%b%b%b" % (parts[0], first, parts[1], second, parts[2])
        else:
            head = b"%b%b%b" % (parts[0], first, parts[1])
        return head, head[line_bytes:], data[end:]

    def learn(self, data: bytes, head: AnswerHead) -> None:
        """Know this head from now on. `data`: the answer, whole, as `head` was read from it."""
        lines = head.plain_lines()
        if lines is None:
            return
        cut, passed = _cut(data), _cut(b"".join((*lines, b"\r\n")))
        if cut is None or passed is None or len(cut[0]) != len(passed[0]):
            return
        parts, _, _, end, length = cut
        if not data.startswith(lines[0]) or len(data) - end != length:
            return  # an interim answer came before it, or something behind it
        if len(self._known) >= _HEADS:
            self._known.clear()
        *rest, last = passed[0]
        self._known[parts] = len(lines[0]), (*rest, last[:-2])


def _cut(data: bytes) -> tuple[_Parts, bytes, bytes, int, int] | None:
    """A head in parts; length and date, as they come; where the head ends; its length. None: it has no usual length."""
    end = data.find(_END, 0, _HEAD_BYTES) + 4
    length_at = data.find(_LENGTH, 0, end)
    if length_at < 0:
        length_at = data.find(_LENGTH_LOWER, 0, end)
        if length_at < 0:
            return None
    length_at += len(_LENGTH)
    stop = data.find(b"\r", length_at)
    digits = data[length_at:stop]
    if end < 4 or stop - length_at > _DIGITS or not digits.isdigit() or digits.startswith(b"0"):
        return None
    found = _DATE.search(data, 0, end)
    if found is None:
        return (data[:length_at], data[stop:end]), digits, b"", end, int(digits)
    date_at, behind = found.span(1)
    date = data[date_at:behind]
    if date_at < length_at:
        return (data[:date_at], data[behind:length_at], data[stop:end]), date, digits, end, int(digits)
    return (data[:length_at], data[stop:date_at], data[behind:end]), digits, date, end, int(digits)
