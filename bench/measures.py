"""The five parts of the bench. Each measures one contender once and gives figures by name; rounds are made elsewhere.

Times are in seconds, CPU in microseconds of on-core time, memory in MB (1e6 bytes).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from bench.contenders import Running, Starter, begin
from bench.processes import cpu_ns, memory, settle, tree

Figures = dict[str, float]


class MeasureFailedError(Exception):
    """The load generator gave no figures; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything: seconds, counts, rounds."""

    rounds: int
    heavy_rounds: int  # of the parts that take longest and vary least: thousand, idle
    plain_s: float
    plain_warm_s: float
    streams_s: float
    streams_warm_s: float
    latency_s: float
    thousand_streams: int
    thousand_pieces: int

    def with_rounds(self, rounds: int) -> Size:
        """The same with another number of rounds, in all parts."""
        return replace(self, rounds=rounds, heavy_rounds=rounds)


FULL: Final = Size(
    rounds=6,
    heavy_rounds=6,
    plain_s=2.5,
    plain_warm_s=0.7,
    streams_s=3.0,
    streams_warm_s=1.0,
    latency_s=1.2,
    thousand_streams=1000,
    thousand_pieces=100,
)
QUICK: Final = Size(
    rounds=2,
    heavy_rounds=1,
    plain_s=1.2,
    plain_warm_s=0.4,
    streams_s=1.5,
    streams_warm_s=0.8,
    latency_s=0.6,
    thousand_streams=1000,
    thousand_pieces=100,
)
TINY: Final = Size(
    rounds=1,
    heavy_rounds=1,
    plain_s=0.3,
    plain_warm_s=0.1,
    streams_s=0.4,
    streams_warm_s=0.2,
    latency_s=0.2,
    thousand_streams=40,
    thousand_pieces=10,
)
SIZES: Final[dict[str, Size]] = {"full": FULL, "quick": QUICK, "tiny": TINY}

PLAIN_CONNECTIONS: Final = 64
STREAMS: Final = 32
STREAM_GAP_MS: Final = 20
THOUSAND_GAP_MS: Final = 50
LATENCY_RUNS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every measurement needs beside the contender."""

    size: Size
    upstream: Running
    ask_usage: bool = False

    def load(self, kind: str, running: Running, *options: object, watch: list[int] | None = None) -> dict[str, Any]:
        """Run the load generator against a contender; its report."""
        argv = [sys.executable, "-m", "bench.load", kind, "--port", running.port, *options]
        argv += ["--ask-usage"] if self.ask_usage else []
        argv += ["--watch", *(watch or ())]
        root = Path(__file__).resolve().parent.parent
        words = [str(each) for each in argv]
        try:
            done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired:
            raise MeasureFailedError("the load generator did not end within 180 s") from None
        if done.returncode:
            raise MeasureFailedError(last_words(done.stderr) or f"status {done.returncode}")
        report: dict[str, Any] = json.loads(done.stdout)
        running.calls += report["answers"]
        return report


def last_words(text: str) -> str:
    """The last line of what a process complained of."""
    return text.strip().rpartition("\n")[2]


def _catch_up(running: Running) -> None:
    """Wait until all that was noted is also kept, so that the next measurement does not pay for it."""
    if running.pids("observer") and not settle(running.pids()):
        print(f"{running.name} does not come to rest: 2 % of a core or more after 30 s", file=sys.stderr)
    if gone := set(running.pids()) - set(tree(running.process.pid)):
        raise MeasureFailedError(f"processes ended meanwhile: {sorted(running.roles[pid] for pid in gone)}")


def _require_clean(report: dict[str, Any]) -> None:
    if report["errors"]:
        raise MeasureFailedError(f"{report['errors']} errors, such as {report['error_samples'][0]}")


def _cpu(bench: Bench, running: Running, kind: str, unit: str, *options: object) -> Figures:
    """CPU per call or piece, in us, by role.

    The relay's is taken inside the load's window. Observer and supervisor may lag: theirs is taken over everything
    from rest to rest, so it also holds what they do for the warm-up, and is divided by all calls or pieces.
    """
    before = {pid: cpu_ns(pid) for pid in running.pids()}
    relays = running.pids("relay")
    report = bench.load(kind, running, *options, watch=[*relays, *bench.upstream.pids()])
    _require_clean(report)
    _catch_up(running)
    counted = report[unit]
    everything = report["answers"] if unit == "calls" else report["answers"] * report["pieces_each"]

    figures = {"relay": sum(report["cpu_ns"][str(pid)] for pid in relays) / counted / 1e3}
    for role in ("observer", "supervisor", "other"):
        if pids := running.pids(role):
            figures[role] = sum(cpu_ns(pid) - before[pid] for pid in pids) / everything / 1e3
    if not running.lacking():
        figures["all"] = sum(figures.values())
    figures["upstream"] = sum(report["cpu_ns"][str(pid)] for pid in bench.upstream.pids()) / counted / 1e3
    figures["per_s"] = counted / report["window_s"]
    return figures


def plain(bench: Bench, running: Running) -> Figures:
    """CPU per plain call of 1 KB, 64 connections in a closed loop."""
    size = bench.size
    times = ("--warm-s", size.plain_warm_s, "--seconds", size.plain_s)
    return _cpu(bench, running, "plain", "calls", "--connections", PLAIN_CONNECTIONS, *times)


def streams(bench: Bench, running: Running) -> Figures:
    """CPU per piece of 32 streams, 20 ms apart, in mid-stream; they begin evenly spread over one gap."""
    size = bench.size
    whole_s = size.streams_warm_s + size.streams_s + 0.3
    options = ("--connections", STREAMS, "--stagger-ms", STREAM_GAP_MS / STREAMS, "--gap-ms", STREAM_GAP_MS)
    times = ("--warm-s", size.streams_warm_s, "--seconds", size.streams_s)
    pieces = ("--pieces", round(whole_s * 1000 / STREAM_GAP_MS))
    return _cpu(bench, running, "streams", "pieces", *options, *times, *pieces)


def latency(bench: Bench, running: Running) -> Figures:
    """Latency of plain calls on one connection. Also measured direct: what is added is the difference of a round.

    The mean of three runs: where the scheduler puts the few processes makes 13 or 78 us of a direct call, and holds
    for as long as a run lasts.
    """
    options = ("--connections", 1, "--warm-s", 0.2, "--seconds", bench.size.latency_s / LATENCY_RUNS)
    runs = []
    for _ in range(LATENCY_RUNS):
        report = bench.load("plain", running, *options)
        _require_clean(report)
        runs.append(report["latency_s"])
    _catch_up(running)
    return {f"{name}_us": fmean(run[name] for run in runs) * 1e6 for name in ("p50", "p90", "p99")}


def thousand(bench: Bench, running: Running) -> Figures:
    """A thousand streams that begin at once: errors, first token, and how late pieces are."""
    size = bench.size
    options = ("--connections", size.thousand_streams, "--pieces", size.thousand_pieces, "--gap-ms", THOUSAND_GAP_MS)
    report = bench.load("streams", running, *options, "--warm-s", 0, "--seconds", 1)
    _catch_up(running)
    figures = {"errors": float(report["errors"])}
    for kind in ("first_token", "late"):
        figures |= {f"{kind}_{name}_ms": value * 1e3 for name, value in (report[f"{kind}_s"] or {}).items()}
    return figures


def idle(bench: Bench, starter: Starter, folder: Path) -> Figures:
    """A start of its own: time to the first answer, and memory once it rests."""
    running = begin(starter, upstream_port=bench.upstream.port, folder=folder)
    try:
        running.rest()
        figures = {"first_answer_s": running.first_answer_s, "rss": 0.0, "pss": 0.0}
        for pid, role in running.roles.items():
            found = memory(pid)
            for name, size in (("rss", found.rss), ("pss", found.pss)):
                figures[name] += size / 1e6
                figures[f"{role}_{name}"] = figures.get(f"{role}_{name}", 0.0) + size / 1e6
        if running.lacking():
            del figures["rss"], figures["pss"]
        return figures
    finally:
        running.stop()


# Those that measure a contender which stays up; `idle` starts its own.
PARTS: Final[dict[str, Callable[[Bench, Running], Figures]]] = {
    "plain": plain,
    "streams": streams,
    "latency": latency,
    "thousand": thousand,
}
