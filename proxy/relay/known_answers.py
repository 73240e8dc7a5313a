"""Heads of answers that came before: the same bytes are read the same again, so they are read once.

A server's plain answers differ in length and date. So a head is known by its bytes without these two values. The parser
never sees an answer with a known head that is whole in one read; all else goes the long way, as do answers of servers
that write an id into each head.

Bounded: so many heads, none long. Only the event loop's thread. Pure.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from proxy.relay.heads import AnswerHead

_END: Final = b"\r\n\r\n"
_LENGTH: Final = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_DATE_NAME: Final = (b"\r\nDate: ", b"\r\ndate: ")
_DATE: Final = re.compile(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT(?=\r\n)")
_HEAD_BYTES: Final = 4096
_HEADS: Final = 256
_DIGITS: Final = 8


class KnownAnswer(NamedTuple):
    """An answer whose head is known: what parser and head would have made of it."""

    head: bytes  # for the client, without its last line end
    kept: bytes  # for the journal
    body: bytes


class KnownAnswers:
    """The heads of one relay process: of status 200, with a length, nothing in them struck out, the connection kept."""

    def __init__(self) -> None:
        # What stands around length and date: as it comes -> bytes of the first line, and as it goes on.
        self._known: dict[tuple[bytes, ...], tuple[int, tuple[bytes, ...]]] = {}

    def find(self, data: bytes) -> KnownAnswer | None:
        """One whole answer of which the head is known, with nothing behind its body."""
        cut = _cut(data)
        if cut is None:
            return None
        known = self._known.get(cut.parts)
        if known is None or len(data) - cut.end != cut.length:
            return None
        line_bytes, parts = known
        head = b"%b%b%b" % (parts[0], cut.values[0], parts[1])
        if len(parts) > 2:
            head = b"%b%b%b" % (head, cut.values[1], parts[2])
        return KnownAnswer(head, head[line_bytes:], data[cut.end :])

    def learn(self, data: bytes, head: AnswerHead) -> None:
        """Know this head from now on. `data`: the answer, whole, as `head` was read from it."""
        lines = head.plain_lines()
        if lines is None:
            return
        cut, passed = _cut(data), _cut(b"".join((*lines, b"\r\n")))
        if cut is None or passed is None or len(cut.parts) != len(passed.parts):
            return
        if not data.startswith(lines[0]) or len(data) - cut.end != cut.length:
            return  # an interim answer came before it, or something behind it
        if len(self._known) >= _HEADS:
            self._known.clear()
        self._known[cut.parts] = len(lines[0]), (*passed.parts[:-1], passed.parts[-1][:-2])


class _Cut(NamedTuple):
    parts: tuple[bytes, ...]  # what stands before, between and behind the values
    values: tuple[bytes, ...]  # length and date, as they come
    end: int  # of the head
    length: int


def _cut(data: bytes) -> _Cut | None:
    """A head in parts, without its length and its date; None: it has no length of the usual form."""
    end = data.find(_END, 0, _HEAD_BYTES) + len(_END)
    if end < len(_END):
        return None
    length_at = _value_at(data, _LENGTH, end)
    if length_at < 0:
        return None
    stop = data.find(b"\r", length_at)
    digits = data[length_at:stop]
    if stop - length_at > _DIGITS or not digits.isdigit() or digits.startswith(b"0"):
        return None
    date_at = _value_at(data, _DATE_NAME, end)
    date = _DATE.match(data, date_at) if date_at >= 0 else None
    if date is None:
        return _Cut((data[:length_at], data[stop:end]), (digits,), end, int(digits))
    behind = date.end()
    if date_at < length_at:
        return _Cut((data[:date_at], data[behind:length_at], data[stop:end]), (date[0], digits), end, int(digits))
    return _Cut((data[:length_at], data[stop:date_at], data[behind:end]), (digits, date[0]), end, int(digits))


def _value_at(data: bytes, names: tuple[bytes, bytes], end: int) -> int:
    """Where the value of a field begins in the head data[:end]; -1: it has none of that name."""
    for name in names:
        at = data.find(name, 0, end)
        if at >= 0:
            return at + len(name)
    return -1
