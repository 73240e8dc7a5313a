"""The bench's upstream: canned answers by raw protocol, so that it costs a fraction of what is measured.

It reads as much of a request as tells where it ends and what is asked: a plain answer of 1 KB, or a stream, paced
by the field `x-bench: pieces=100;gap_ms=20`. The first piece goes with the head at once, the others on their
schedule; one timer serves all streams. `python -m bench.upstream --port N`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import re
import signal
import time
from typing import Final, cast

import uvloop

from bench import canned
from bench.processes import end_with_parent, raise_file_limit

TICK_S: Final = 0.001
_DATE: Final = b"Date: Sat, 21 Nov 2026 08:00:00 GMT\r\n"
_PLAIN: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    + _DATE
    + b"Content-Length: %d\r\n\r\n" % canned.PLAIN_BYTES
    + canned.PLAIN_BODY
)
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + _DATE + b"Transfer-Encoding: chunked\r\n\r\n"
)
_END: Final = b"0\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PACE: Final = re.compile(rb"\r\nx-bench: *pieces=(\d+);gap_ms=(\d+)", re.IGNORECASE)
_STREAM: Final = re.compile(rb'"stream": ?true')
# What a proxy may ask by itself to learn whether its upstream lives.
_SMALL: Final = {b"/api/version": b'{"version":"0.33.0"}', b"/api/tags": b'{"models":[]}', b"/api/ps": b'{"models":[]}'}


def _small_answer(head: bytes) -> bytes:
    path = head.split(b" ", 2)[1]
    body = _SMALL.get(path)
    status, kind = (b"200 OK", b"application/json") if body else (b"404 Not Found", b"text/plain")
    body = body or b"404 page not found"
    length = len(body)
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status,
        kind,
        _DATE,
        length,
        b"" if head.startswith(b"HEAD ") else body,
    )


class Ticker:
    """One timer for all streams: buckets by tick, run in order; none runs while there is no stream."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, list[Connection]] = {}
        self._done = 0
        self._running = False

    @staticmethod
    def now() -> int:
        """The current tick."""
        return int(time.monotonic() / TICK_S)

    def add(self, connection: Connection, tick: int) -> None:
        """Call `connection.step(tick)` when `tick` is reached, or at the next one when it is past."""
        if not self._running:
            self._running = True
            self._done = self.now()
            self._loop.call_later(TICK_S, self._run)
        self._buckets.setdefault(max(tick, self._done + 1), []).append(connection)

    def _run(self) -> None:
        now = self.now()
        while self._done < now:
            self._done += 1
            for connection in self._buckets.pop(self._done, ()):
                connection.step(self._done)
        self._running = bool(self._buckets)
        if self._running:
            self._loop.call_later(TICK_S, self._run)


class Connection(asyncio.Protocol):
    """One client of the upstream: requests one after the other."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._buffer = b""
        self._streaming = False
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by class

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Whoever left gets no more pieces."""
        self._streaming = False

    def pause_writing(self) -> None:
        """Pieces wait while the client does not read."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and not self._streaming:
            head_end = self._buffer.find(b"\r\n\r\n")
            if head_end < 0:
                return
            head = self._buffer[: head_end + 2]
            length = _LENGTH.search(head)
            end = head_end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"POST "):
            self._transport.write(_small_answer(head))
        elif not body:
            # No length: a chunked request, which no client of this bench sends.
            self._transport.write(b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()
        elif _STREAM.search(body):
            self._stream(_PACE.search(head), with_usage=b'"include_usage"' in body)
        else:
            self._transport.write(_PLAIN)

    def _stream(self, pace: re.Match[bytes] | None, *, with_usage: bool) -> None:
        self._pieces, gap_ms = (int(pace[1]), int(pace[2])) if pace else (100, 20)
        self._gap = max(1, round(gap_ms / 1000 / TICK_S))
        self._with_usage = with_usage
        self._streaming = True
        self._transport.write(_STREAM_HEAD + canned.framed_piece(0))
        self._next = 1
        self._ticker.add(self, self._ticker.now() + self._gap)

    def step(self, tick: int) -> None:
        """Write the piece that is due, or the end; the one after it is due a gap after this one was."""
        if not self._streaming:
            return
        if self._paused:
            self._ticker.add(self, tick + 1)
            return
        if self._next < self._pieces:
            self._transport.write(canned.framed_piece(self._next))
            self._next += 1
            self._ticker.add(self, tick + self._gap)
            return
        self._streaming = False
        self._transport.write(canned.framed(canned.last_step(with_usage=self._with_usage)) + _END)
        if self._buffer:
            self.data_received(b"")


async def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    ticker = Ticker(loop)
    listener = await loop.create_server(lambda: Connection(ticker), "127.0.0.1", port, backlog=4096)
    await stopped.wait()
    listener.close()


def main() -> None:
    """Command line of the upstream."""
    parser = argparse.ArgumentParser(prog="python -m bench.upstream", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    end_with_parent()
    raise_file_limit()
    gc.disable()  # nothing here makes cycles that matter in minutes, and a pause would be taken for a late piece
    uvloop.run(serve(options.port))


if __name__ == "__main__":
    main()
