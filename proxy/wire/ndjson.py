"""Lines of newline-delimited JSON, each with the offset where it became complete. No I/O, no meaning."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.wire.lines import LINE_BYTES, Line, LineReader


class NdjsonReader:
    """Reads lines from pieces cut anywhere. Blank lines are none; a last line needs no end."""

    def __init__(self, limit: int = LINE_BYTES) -> None:
        self._lines = LineReader(limit)
        self._skipping = False  # behind a gap, until the next line end

    def feed(self, piece: bytes) -> Iterator[Line]:
        """(line, end) for each line that this piece completes; line None = longer than looked at."""
        return self._filled(self._lines.feed(piece))

    def close(self) -> Iterator[Line]:
        """What the end of the body completes."""
        return self._filled(self._lines.close())

    def skip(self, missing: int) -> None:
        """Some bytes are not there: the line under way and the one that the gap ends in are dropped."""
        self._lines.skip(missing)
        self._skipping = True

    def _filled(self, lines: Iterator[Line]) -> Iterator[Line]:
        for line, end in lines:
            if self._skipping:
                self._skipping = False
            elif line is None or line.strip():
                yield line, end
