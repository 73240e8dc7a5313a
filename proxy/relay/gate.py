"""What a client sends, looked through before the parser gets it: whole heads only, and one reading or none.

llhttp is strict, yet takes other protocols' first lines, bare line ends before a request and blanks within its first
line; and aiohttp 3.14 puts the trailers of one request into the head of the next. So the gate follows the framing by
itself: it holds a head back until it is whole, refuses what llhttp would let pass in a second reading, and knows where
each request ends. Where gate and parser differ, one of them refuses: what is forwarded was read alike by both.

    head ──▶ sized body ──▶ head ...
      └────▶ chunk size ──▶ chunk ──▶ ... ──▶ last chunk, no trailers ──▶ head ...

Pure: bytes in, bytes out.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.relay import faults
from proxy.relay.faults import Fault

_END: Final = b"\r\n\r\n"
_LINE: Final = re.compile(rb"[A-Z][A-Z-]* [!-~]+ HTTP/1\.[01]\r\n")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e]*)?\r\n")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
# A chunk's size with its extensions; RFC 9112 section 7.1.1 asks for a bound. Nobody sends any.
_CHUNK_LINE_BYTES: Final = 1024
# Beyond 2**53 a length is no longer the same number for everybody (JSON, JavaScript).
_LONGEST: Final = 2**53
# RFC 9112 section 2.2 asks to skip at least one empty line before a request.
_BLANK_LINES: Final = 2
# Chunks read in one turn of the event loop: some 100 us. A read of 250 KB could bring 40,000 of them.
_STEPS: Final = 200


class Gate:
    """Of one client connection."""

    __slots__ = ("_blanks", "_chunked", "_held", "_last", "_left", "_limit", "head_end", "refused", "rest")

    def __init__(self, head_bytes: int) -> None:
        """`head_bytes`: longest head, its first line included."""
        self._limit = head_bytes
        self._left = 0  # bytes of the body or chunk at hand that are still to come
        self._chunked = self._last = False  # in a chunked body; behind its last chunk
        self._blanks = 0
        self._held = b""  # begin of a head or of a chunk's size
        self.rest = b""  # not looked through in this turn: call let_in(b"") in the next one
        self.refused: Fault | None = None  # for good: nothing more is let in
        self.head_end = 0  # where the head ends in what was let in last, if that was exactly one whole request

    @property
    def between(self) -> bool:
        """Whether all that came were whole requests."""
        return not (self._left or self._held or self._chunked or self.rest or self._blanks)

    @property
    def in_head(self) -> bool:
        """Whether a head has begun and is not whole."""
        return bool(self._held) and not self._chunked

    @property
    def in_body(self) -> bool:
        """Whether a head was let in whose body is not whole."""
        return bool(self._left) or self._chunked

    def let_in(self, data: bytes) -> bytes:
        """What may go to the parser now."""
        if not (self._held or self._chunked or self.rest):
            if self._left:
                if len(data) <= self._left:
                    self._left -= len(data)
                    return data
            elif (end := data.find(_END) + 4) > 3 and self._read_head(data, 0, end):
                behind = len(data) - end
                if behind <= self._left:  # usual: one request, or its begin
                    self.head_end = end if behind == self._left else 0
                    self._left -= behind
                    return data
                self._left = 0  # others follow: read again, one after the other
                self._chunked = False
        return self._look_through(self._held + self.rest + data)

    def _look_through(self, data: bytes) -> bytes:
        """The general case: any number of heads, bodies and chunks, whole or not. Ends behind the first whole request.

        aiohttp's parser forgets the requests that come in one piece with a malformed one behind them, and drops what
        comes in one piece behind an offer of h2c. One by one they are all read.
        """
        self._held = self.rest = b""
        self.head_end = 0
        passed: list[bytes] = []
        at = begin = 0  # data[begin:at] was read and is to be passed
        for _ in range(_STEPS):
            if self.refused is not None or at >= len(data):
                break
            if at > begin and not self._left and not self._chunked:
                self.rest = data[at:]  # a request is whole: the next one in a turn of its own
                break
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            elif self._chunked:
                step = self._read_chunk(data, at)
                if not step:
                    break
                at += step
            elif data.startswith(b"\r\n", at):
                passed.append(data[begin:at])
                at = begin = at + 2
                self._blanks += 1
                if self._blanks > _BLANK_LINES:
                    self._refuse("Empty lines where a request should begin.")
            else:
                end = data.find(_END, at) + 4
                if end == 3:
                    self._hold_head(data[at:])
                    break
                if self._read_head(data, at, end):
                    at = end
        else:
            self.rest = data[at:]
        passed.append(data[begin:at])
        return b"".join(passed)

    def _read_head(self, data: bytes, start: int, end: int) -> bool:
        """Take note of how the body of the head data[start:end] is framed. False: it is refused, or begins blank."""
        line = _LINE.match(data, start)
        if line is None:
            if not data.startswith(b"\r\n", start):
                self._refuse_line(data[start:])
            return False
        if end - start > self._limit:
            self.refused = faults.TARGET_TOO_LONG if line.end() - start > self._limit else faults.HEAD_TOO_LARGE
            return False
        lower = data[start:end].lower()
        length_at = lower.find(b"\r\ncontent-length:")
        self._blanks = 0
        if lower.find(b"\r\ntransfer-encoding:") >= 0:
            if length_at >= 0:
                return self._refuse("Content-Length and Transfer-Encoding say where the body ends in two ways.")
            self._chunked = True
        elif length_at >= 0:
            value = lower[length_at + 17 : lower.find(b"\r", length_at + 2)].strip(b" \t")
            if not value.isdigit() or len(value) > 20 or int(value) > _LONGEST:
                return self._refuse("Content-Length is not a length.")
            if lower.find(b"\r\ncontent-length:", length_at + 17) >= 0:
                return self._refuse("Content-Length is there twice.")
            self._left = int(value)
        return True

    def _hold_head(self, begun: bytes) -> None:
        """Keep what there is of a head, unless it cannot become one."""
        line_end = begun.find(b"\n")
        if (line_end >= 0 and _LINE.match(begun) is None) or not (begun == b"\r" or b"A" <= begun[:1] <= b"Z"):
            self._refuse_line(begun)
        elif _BARE_LF.search(begun):
            self._refuse("A line of the head ends in a bare LF.")
        elif len(begun) > self._limit:
            self.refused = faults.HEAD_TOO_LARGE if line_end >= 0 else faults.TARGET_TOO_LONG
        else:
            self._held = begun

    def _read_chunk(self, data: bytes, at: int) -> int:
        """Take note of a chunk's size, or of the end behind the last one. Gives the bytes read; 0: no more here."""
        if self._last:
            if data.startswith(b"\r\n", at):
                self._chunked = self._last = False
                return 2
            if data[at:] == b"\r":
                self._held = data[at:]
            else:
                self._refuse("Trailers are not taken.")
            return 0
        size = _CHUNK.match(data, at)
        if size is None:
            line = data[at : at + _CHUNK_LINE_BYTES + 1]
            if b"\n" in line or len(line) > _CHUNK_LINE_BYTES:
                self._refuse("A chunk does not begin with its size.")
            else:
                self._held = line
            return 0
        length = int(size[1], 16)
        if length > _LONGEST or size.end() - at > _CHUNK_LINE_BYTES:
            self._refuse("A chunk's size is not one.")
            return 0
        if length:
            self._left = length + 2  # with the line end behind it, which the parser looks at
        else:
            self._last = True
        return size.end() - at

    def _refuse(self, message: str) -> bool:
        self.refused = faults.BAD_REQUEST._replace(message=message)
        return False

    def _refuse_line(self, begun: bytes) -> None:
        if begun.startswith(b"\x16\x03"):
            self._refuse("This is TLS; the port speaks plain HTTP: write http:// in the base URL.")
        elif begun.startswith(b"PRI * HTTP/2"):
            self._refuse("HTTP/2 is not spoken here; HTTP/1.1 is.")
        elif len(begun) > self._limit and b"\n" not in begun[: self._limit]:
            self.refused = faults.TARGET_TOO_LONG
        else:
            self._refuse("The first line of a request must be METHOD /path HTTP/1.1, in visible ASCII.")
