"""The recorded exchanges of tests/data/wire: raw bytes -> parts, and the Exchange that a relay would have made of them.

Bodies are freed of their chunked framing here, read by read, so that each piece keeps the time it came.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

from proxy.core.exchange import Ending, Exchange, Finished, Pieces

FOLDER = Path(__file__).parent.parent / "data" / "wire"
SERVERS = ("ollama-0.33", "ollama-0.24", "litellm-1.106")


class Recording(NamedTuple):
    """One exchange as it went over the wire."""

    name: str  # folder/name
    method: str
    target: str
    request_head: bytes  # field lines, CRLF each
    request_body: bytes
    status: int | None  # None = no answer
    answer_head: bytes
    answer_body: bytes  # without chunked framing
    pieces: tuple[tuple[float, int], ...]  # (s since the request was sent, bytes of answer_body) of each read
    headers_s: float | None
    duration_s: float
    expected: dict[str, Any]

    @property
    def kind(self) -> str:
        """What answered: ollama or litellm."""
        return self.name.partition("-")[0]

    @property
    def ending(self) -> Ending:
        """How a relay would have seen it end."""
        if self.expected["end"] == "client left":
            return "client_left"
        return "complete" if self.expected["body_whole"] else "upstream_failed"


@functools.cache
def names() -> tuple[str, ...]:
    """`folder/name` of all recordings."""
    return tuple(f"{server}/{name}" for server in SERVERS for name in _expected(server))


@functools.cache
def load(name: str) -> Recording:
    """One recording by `folder/name`."""
    server, _, stem = name.partition("/")
    line, request_head, request_body = _split((FOLDER / server / f"{stem}.request").read_bytes())
    method, target, _ = line.split(" ", 2)
    raw = (FOLDER / server / f"{stem}.response").read_bytes()
    reads = json.loads((FOLDER / server / f"{stem}.json").read_bytes())["reads_ms_bytes"]
    answer = _Answer()
    start = 0
    for ms, size in reads:
        answer.take(raw[start : start + size], ms / 1000)
        start += size
    assert start == len(raw), f"{name}: reads do not add up"
    return Recording(
        name=name,
        method=method,
        target=target,
        request_head=request_head,
        request_body=request_body,
        status=answer.status,
        answer_head=answer.head,
        answer_body=bytes(answer.body),
        pieces=tuple(answer.pieces),
        headers_s=answer.headers_s,
        duration_s=reads[-1][0] / 1000 if reads else 0.5,
        expected=_expected(server)[stem],
    )


def exchange_of(recording: Recording, **changes: Any) -> Exchange:
    """The exchange that a relay would have kept. changes: other values for Finished's fields."""
    known: dict[str, Any] = {
        "call_id": "c-1",
        "request_id": "r-1",
        "started_unix_ns": 1_795_219_436_000_000_000,
        "method": recording.method,
        "target": recording.target,
        "upstream": "default",
        "upstream_kind": recording.kind,
        "upstream_status": recording.status,
        # Without an answer the relay makes its own, unless the client is gone.
        "status": recording.status or (502 if recording.ending == "upstream_failed" else None),
        "ending": recording.ending,
        "error_code": "stream_broken" if recording.ending == "upstream_failed" else None,
        "attempts": 1,
        "headers_s": recording.headers_s,
        "duration_s": recording.duration_s,
        "request_bytes": len(recording.request_body),
        "response_bytes": len(recording.answer_body),
    }
    return Exchange(
        finished=Finished(**{**known, **changes}),
        request_head=recording.request_head,
        request_body=recording.request_body,
        answer_head=recording.answer_head,
        answer_body=recording.answer_body,
        pieces=Pieces.of(recording.pieces),
    )


@functools.cache
def _expected(server: str) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = json.loads((FOLDER / server / "expected.json").read_bytes())
    return loaded


def _split(message: bytes) -> tuple[str, bytes, bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    return line.decode("latin-1"), fields + b"\r\n" if fields else b"", body


class _Answer:
    """Takes the reads of one answer: passes over 1xx heads, then frees the body of its chunks."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.head = b""
        self.headers_s: float | None = None
        self.body = bytearray()
        self.pieces: list[tuple[float, int]] = []
        self._rest = b""
        self._chunked = False
        self._left = 0  # bytes of the chunk under way
        self._ended = False

    def take(self, read: bytes, time_s: float) -> None:
        self._rest += read
        while self.headers_s is None and b"\r\n\r\n" in self._rest:
            line, self.head, self._rest = _split(self._rest)
            status = int(line.split(" ")[1])
            if status >= 200:
                self.status, self.headers_s = status, time_s
                self._chunked = b"transfer-encoding: chunked" in self.head.lower()
        if self.headers_s is None:
            return
        before = len(self.body)
        if self._chunked:
            self._dechunk()
        else:
            self.body += self._rest
            self._rest = b""
        if len(self.body) > before:
            self.pieces.append((time_s, len(self.body) - before))

    def _dechunk(self) -> None:
        while self._rest and not self._ended:
            if self._left > 2:  # the last two are CR LF
                taken = self._rest[: self._left - 2]
                self.body += taken
                self._rest = self._rest[len(taken) :]
                self._left -= len(taken)
            elif self._left:
                taken = self._rest[: self._left]
                self._rest = self._rest[len(taken) :]
                self._left -= len(taken)
            else:
                size, found, rest = self._rest.partition(b"\r\n")
                if not found:
                    return
                self._rest = rest
                self._left = int(size, 16) + 2
                self._ended = self._left == 2
