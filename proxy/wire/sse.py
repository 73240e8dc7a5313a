"""Server-sent events of a body, each with the offset where it became complete. No I/O, no meaning.

Source: WHATWG HTML, sec. 9.2.6 "Interpreting an event stream", but for one thing: a last event without its blank line
counts, as the clients of OpenAI's and Anthropic's SDKs count it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from proxy.wire.lines import LINE_BYTES, LINES, LineReader

_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: `name` as sent (empty = message), `data` joined by LF or None when longer than looked at."""

    name: bytes
    data: bytes | None
    end: int  # offset in the body right behind the blank line that completed it


class SseReader:
    """Reads events from pieces cut anywhere. An event without a data line is none (comments, pings of that form)."""

    def __init__(self, limit: int = LINE_BYTES) -> None:
        self._lines = LineReader(limit)
        self._limit = limit
        self._name = b""
        self._data: list[bytes] = []
        self._data_bytes = -1  # joined length so far; -1 = no data line yet
        self._skipping = False  # behind a gap, until the next blank line
        self._first = True

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Events that this piece completes. Take them all before the next piece is fed."""
        for line, end in self._lines.feed(piece):
            if event := self._take(line, end):
                yield event

    def close(self) -> Iterator[Event]:
        """What the end of the body completes."""
        for line, end in self._lines.close():
            if event := self._take(line, end):
                yield event
        if event := self._take(b"", self._lines.offset):
            yield event

    def skip(self, missing: int) -> None:
        """Some bytes are not there: the event under way and the one that the gap ends in are dropped."""
        self._lines.skip(missing)
        self._forget()
        self._skipping = True

    def _take(self, line: bytes | None, end: int) -> Event | None:
        if line == b"":
            return self._dispatch(end)
        if self._skipping:
            return None
        if line is None:  # too long: as if it were data, which it nearly always is
            self._data_bytes = self._limit + 1
            return None
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data_bytes += len(value) + 1
            if self._data_bytes <= self._limit:
                self._data.append(value)
        elif field == b"event":
            self._name = value
        return None

    def _dispatch(self, end: int) -> Event | None:
        if self._skipping:
            self._skipping = False
            return None
        event = None
        if self._data_bytes >= 0:
            data = b"\n".join(self._data) if self._data_bytes <= self._limit else None
            event = Event(self._name, data, end)
        self._forget()
        return event

    def _forget(self) -> None:
        self._name = b""
        self._data = []
        self._data_bytes = -1


def read_plain(body: bytes) -> tuple[list[bytes], list[int]] | None:
    """Data and end of each event of a whole body in the form that nearly all servers send, split in one go.

    That form: `data: ` + one line + LF LF, again and again, nothing else. None = another form, for SseReader.
    What is left between the separators has no LF, so each is one line.
    """
    if not (body.startswith(b"data: ") and body.endswith(b"\n\n")) or b"\r" in body:
        return None
    datas = body[6:-2].split(b"\n\ndata: ", LINES // 2)
    if b"\n" in b"".join(datas) or (len(body) > LINE_BYTES and max(map(len, datas)) > LINE_BYTES):
        return None
    return datas, list(accumulate([len(data) + 8 for data in datas]))
