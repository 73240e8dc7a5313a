"""The load generator: closed loop, N connections kept alive, every answer compared with what was sent.

`python -m bench.load plain|streams --port N ...` prints one JSON object. With --watch it takes the on-core time of
other processes at the begin and the end of its own window, so that calls or pieces and CPU cover the same seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

import uvloop

from bench import canned
from bench.client import AnswerReader, Connection
from bench.processes import cpu_ns, end_with_parent, raise_file_limit

GRACE_S: Final = 60.0  # a bare proxy needs 20 s for the thousand streams; who needs three times as long has failed
_PAUSE_S: Final = 0.05  # before a broken connection is opened anew


def spread(values: list[float]) -> dict[str, float] | None:
    """Percentiles of durations in seconds; None when there are none."""
    if not values:
        return None
    values.sort()
    last = len(values) - 1
    return {name: values[round(q * last)] for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))}


class Window:
    """The seconds that count, and what others used of a core in them."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self.begin_s = float("inf")
        self.end_s = float("inf")
        self.cpu_ns: dict[str, int] = {}

    def begin(self) -> None:
        """Warm-up is over."""
        self._before = {pid: cpu_ns(pid) for pid in self._pids}
        self.begin_s = time.perf_counter()

    def end(self) -> None:
        """What comes after does not count."""
        self.cpu_ns = {str(pid): cpu_ns(pid) - self._before[pid] for pid in self._pids}
        self.end_s = time.perf_counter()

    def holds(self, moment_s: float) -> bool:
        """Whether something that happened then counts."""
        return self.begin_s <= moment_s < self.end_s


class Load:
    """What both kinds have in common: connections, errors, window, end."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.window = Window(options.watch)
        self.errors: list[str] = []
        self.answers = 0
        self.ending = False

    async def run(self) -> dict[str, Any]:
        """Open, warm up, count, let what is under way end."""
        options = self.options
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        for index in range(options.connections):
            self.open(index, after_s=index * options.stagger_ms / 1000)
        await asyncio.sleep(options.warm_s)
        self.window.begin()
        await asyncio.sleep(options.seconds)
        self.window.end()
        self.ending = True
        deadline = time.perf_counter() + GRACE_S
        while self.under_way() and time.perf_counter() < deadline:  # noqa: ASYNC110 - 50 ms late is soon enough
            await asyncio.sleep(0.05)
        self.errors += ["no answer in time"] * self.under_way()
        for connection in self._connections:
            connection.close()
        return self.report()

    def under_way(self) -> int:
        """Calls that still lack their end."""
        return sum(connection.busy for connection in self._connections) + len(self._opening)

    def open(self, key: int, *, after_s: float) -> None:
        """Open a connection some time later."""
        task = self._loop.create_task(self._open(key, after_s), name=f"open {key}")
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, key: int, after_s: float) -> None:
        await asyncio.sleep(after_s)
        connection = Connection(ready=self.ready, answered=self._answered, failed=self._failed)
        connection.key = key
        try:
            await self._loop.create_connection(lambda: connection, canned.HOST, self.options.port)
            self._connections.add(connection)
        except OSError as exc:
            self._failed(connection, f"no connection: {exc}")

    def _failed(self, connection: Connection, reason: str) -> None:
        self.errors.append(reason)
        self._connections.discard(connection)
        if not self.ending and self.options.kind == "plain":
            self.open(connection.key, after_s=_PAUSE_S)

    def _answered(self, connection: Connection, answer: AnswerReader) -> None:
        self.answers += 1
        if answer.status != 200:
            self.errors.append(f"status {answer.status}: {answer.body[:200]!r}")
        elif (wrong := self.check(connection, answer)) is not None:
            self.errors.append(wrong)
        if self.options.kind == "plain" and not self.ending:
            self.ready(connection)

    def ready(self, connection: Connection) -> None:
        """Send on a connection that is free."""
        raise NotImplementedError

    def check(self, connection: Connection, answer: AnswerReader) -> str | None:
        """What is wrong with an answer of status 200, or None; takes its times."""
        raise NotImplementedError

    def report(self) -> dict[str, Any]:
        """What was found, as printed."""
        samples = dict.fromkeys(self.errors)
        return {
            "answers": self.answers,
            "errors": len(self.errors),
            "error_samples": list(samples)[:5],
            "window_s": self.window.end_s - self.window.begin_s,
            "cpu_ns": self.window.cpu_ns,
        }


class PlainLoad(Load):
    """Plain calls, each connection sends the next one when it has its answer."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        # No two calls in a row have the same head: their lengths differ, as those of conversations do.
        self._requests = [canned.plain_request(options.port, number=number) for number in range(16)]
        self._latencies_s: list[float] = []

    def ready(self, connection: Connection) -> None:
        """Send the next call."""
        connection.send(self._requests[self.answers % 16])

    def check(self, connection: Connection, answer: AnswerReader) -> str | None:
        """Compare, and take the latency."""
        now = connection.reads[-1][0]
        if self.window.holds(now):
            self._latencies_s.append(now - connection.sent_at)
        parts = answer.parts
        return (
            None if parts[0] == canned.PLAIN_BODY or answer.body == canned.PLAIN_BODY else "not the body that was sent"
        )

    def report(self) -> dict[str, Any]:
        """Adds calls (those in the window) and latency_s."""
        return {**super().report(), "calls": len(self._latencies_s), "latency_s": spread(self._latencies_s)}


class StreamLoad(Load):
    """One stream a connection."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self._request = canned.stream_request(
            options.port, pieces=options.pieces, gap_ms=options.gap_ms, ask_usage=options.ask_usage
        )
        self._expected = canned.stream_body(options.pieces, with_usage=options.ask_usage)
        self._ends = canned.piece_ends(options.pieces)
        self._streams: list[tuple[float, list[tuple[float, int]]]] = []  # (sent, reads) of each

    def ready(self, connection: Connection) -> None:
        """Send the one call of this connection."""
        connection.send(self._request)

    def check(self, connection: Connection, answer: AnswerReader) -> str | None:
        """Compare; the times are looked at in the end."""
        self._streams.append((connection.sent_at, connection.reads))
        return None if answer.body == self._expected else f"not the body that was sent ({answer.length} bytes)"

    def report(self) -> dict[str, Any]:
        """Adds pieces (those in the window), first_token_s, and late_s of pieces against their stream's own pace."""
        gap_s = self.options.gap_ms / 1000
        firsts_s, late_s, pieces = [], [], 0
        for sent_at, reads in self._streams:
            lengths = [length for _, length in reads]
            # The read that brought a piece's last byte is when the piece arrived.
            arrived = [reads[min(bisect_left(lengths, end), len(reads) - 1)][0] for end in self._ends]
            firsts_s.append(arrived[0] - sent_at)
            pieces += sum(map(self.window.holds, arrived))
            offsets = [moment - index * gap_s for index, moment in enumerate(arrived)]
            earliest = min(offsets)
            late_s += [offset - earliest for offset in offsets]
        found = {
            "pieces": pieces,
            "pieces_each": self.options.pieces,
            "first_token_s": spread(firsts_s),
            "late_s": spread(late_s),
        }
        return {**super().report(), **found}


def main() -> None:
    """Command line of the load generator."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("kind", choices=["plain", "streams"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--warm-s", type=float, default=0.5, help="seconds before the window")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of the window")
    parser.add_argument("--stagger-ms", type=float, default=0.0, help="between the opening of two connections")
    parser.add_argument("--watch", type=int, nargs="*", default=[], metavar="PID", help="take their on-core time")
    parser.add_argument("--pieces", type=int, default=100)
    parser.add_argument("--gap-ms", type=int, default=20)
    parser.add_argument("--ask-usage", action="store_true", help="streams ask for the usage event")
    options = parser.parse_args()
    end_with_parent()
    raise_file_limit()
    gc.disable()  # a pause here would be taken for latency of what is measured
    load = PlainLoad(options) if options.kind == "plain" else StreamLoad(options)
    print(json.dumps(uvloop.run(load.run())))


if __name__ == "__main__":
    main()
