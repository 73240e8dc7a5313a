"""Lines of a body that comes in pieces, each with the offset right behind it. Linear in bytes, whatever the cuts.

No I/O here, and no meaning: see sse and ndjson.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

# The longest event of Ollama's runner is 8 MB, and its own Go client reads no longer line.
LINE_BYTES: Final = 8 * 1024 * 1024
# Of one body: half a million events, no model says as much at once. 10 MB of empty lines would take 15 s for nothing.
LINES: Final = 1_000_000
_STEP_BYTES: Final = 65_536  # split together: a list of lines takes up to 40 times the memory of its bytes

Line = tuple[
    bytes | None, int
]  # without its end; None = longer than LINE_BYTES, or beyond LINES. Offset behind its end.


class LineReader:
    """Splits pieces into lines. Line ends are LF, CR and CRLF, mixed as they come.

    A CR ends its line at once, so that nothing waits for a LF that may never come; a LF right after it belongs to it.
    """

    def __init__(self, limit: int = LINE_BYTES, *, most: int = LINES) -> None:
        """limit: bytes of a line. most: lines; the one behind them is None, and no other comes."""
        self._limit = limit
        self._left = most
        self._part = bytearray()  # the line under way, while it is short enough
        self._part_bytes = 0  # its whole length
        self._after_cr = False
        self.offset = 0  # bytes taken so far, the gap included

    def feed(self, piece: bytes) -> Iterator[Line]:
        """Lines that this piece completes. Take them all before the next piece is fed."""
        for start in range(0, len(piece), _STEP_BYTES):
            if self._left < 0:
                self.offset += len(piece) - start
                return
            yield from self._split(piece[start : start + _STEP_BYTES])

    def _split(self, piece: bytes) -> Iterator[Line]:
        if self._after_cr and piece:
            self._after_cr = False
            if piece[:1] == b"\n":
                self.offset += 1
                piece = piece[1:]
        if piece:
            self._after_cr = piece[-1] == 0x0D
        behind = self.offset + len(piece)
        for line in piece.splitlines(keepends=True):  # bytes: at LF, CR and CRLF only
            self.offset += len(line)
            if line[-1] not in b"\r\n":
                self._keep(line)
                continue
            self._left -= 1
            if self._left < 0:
                yield None, self.offset
                self.offset = behind
                return
            if line[-2:] == b"\r\n":
                yield self._complete(line[:-2]), self.offset - 1  # behind the CR, as if cut there
            else:
                yield self._complete(line[:-1]), self.offset

    def close(self) -> Iterator[Line]:
        """The last line, when it came without an end."""
        if self._part_bytes and self._left >= 0:
            yield self._complete(b""), self.offset

    def skip(self, missing: int) -> None:
        """Some bytes are not there: the line under way is dropped. What comes next begins in mid-line."""
        self._part.clear()
        self._part_bytes = 0
        self._after_cr = False
        self.offset += missing

    def _keep(self, part: bytes) -> None:
        self._part_bytes += len(part)
        if self._part_bytes <= self._limit:
            self._part += part
        else:
            self._part.clear()

    def _complete(self, rest: bytes) -> bytes | None:
        if not self._part_bytes:
            return rest if len(rest) <= self._limit else None
        self._keep(rest)
        line = bytes(self._part) if self._part_bytes <= self._limit else None
        self._part.clear()
        self._part_bytes = 0
        return line
