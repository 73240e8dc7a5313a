"""What a fault beside the calls costs the calls: p99 with it and without it, in turns.

    python -m bench.faults [--rounds 5] [--seconds 10] [--only full-disk,observer-away]

Plain calls at a steady rate (open loop), and streams whose pieces are 20 ms apart: time of a call, and lateness of a
piece against the one before. Each fault has a Sightglass of its own. Traffic flows a while before it is measured: the
first stall of a disk is felt. A difference is taken within a round, then the median of all rounds, with their range. A
fault that cannot be played here (mounting, tracing) is left out by name.

full-disk       journal and ledger lie on a disk without a byte left
stalled-disk    each write to the journal takes a second longer; strace does it, and traces without the fault as well,
                at a fifth of the traffic
observer-away   the observer is stopped; the relay's journal grows
collector-dead  nobody listens where spans go
collector-mute  who listens takes connections and bytes, and never answers
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from bench.fault_kinds import FAULTS, LeftOutError
from bench.product import Product

PIECE_S: Final = 0.02
_PATH: Final = "/v1/chat/completions"
_BODY: Final[dict[str, Any]] = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}


class Sample(NamedTuple):
    """Of one stretch of traffic, in milliseconds."""

    calls: list[float]
    pieces: list[float]
    failed: int


class Traffic:
    """Calls and streams through one product."""

    def __init__(self, product: Product, *, rate: float, streams: int) -> None:
        self._url, self._rate, self._streams = product.url + _PATH, rate, streams

    async def sample(self, seconds: float) -> Sample:
        """So long."""
        found = Sample([], [], 0)
        failures = 0

        async def guarded(work: Any) -> None:
            nonlocal failures
            try:
                await work
            except (aiohttp.ClientError, TimeoutError):
                failures += 1

        until = time.monotonic() + seconds
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
            for _ in range(self._streams):
                group.create_task(guarded(self._streaming(session, until, found.pieces)))
            due = time.monotonic()
            while (due := due + 1 / self._rate) < until:
                await asyncio.sleep(max(due - time.monotonic(), 0))
                group.create_task(guarded(self._plain(session, found.calls)))
        return found._replace(failed=failures)

    async def _plain(self, session: aiohttp.ClientSession, calls: list[float]) -> None:
        began = time.perf_counter()
        async with session.post(self._url, json=_BODY, headers={"x-stand-in": "token_s=0"}) as answer:
            await answer.read()
            answer.raise_for_status()
        calls.append((time.perf_counter() - began) * 1e3)

    async def _streaming(self, session: aiohttp.ClientSession, until: float, pieces: list[float]) -> None:
        while time.monotonic() < until:
            wish = {"x-stand-in": f"token_s={PIECE_S}"}
            async with session.post(self._url, json={**_BODY, "stream": True}, headers=wish) as answer:
                answer.raise_for_status()
                last = None
                async for _ in answer.content.iter_any():
                    now = time.perf_counter()
                    if last is not None:
                        pieces.append(max(now - last - PIECE_S, 0.0) * 1e3)
                    last = now


def p99(values: Sequence[float]) -> float:
    """nan of nothing."""
    return sorted(values)[len(values) * 99 // 100] if values else float("nan")


def measure(name: str, folder: Path, options: argparse.Namespace) -> list[tuple[Sample, Sample]]:
    """(without, with) of each round."""
    rounds = []
    with FAULTS[name](folder) as (product, well, ill, share):
        traffic = Traffic(product, rate=options.rate * share, streams=math.ceil(options.streams * share))
        asyncio.run(traffic.sample(min(options.seconds, 2.0)))
        for number in range(options.rounds):
            pair = {}
            for kind in ("well", "ill") if number % 2 == 0 else ("ill", "well"):
                with (well if kind == "well" else ill)():
                    asyncio.run(traffic.sample(options.settle))
                    pair[kind] = asyncio.run(traffic.sample(options.seconds))
                time.sleep(options.settle)
            rounds.append((pair["well"], pair["ill"]))
    return rounds


def told(name: str, rounds: Sequence[tuple[Sample, Sample]]) -> str:
    """One line."""
    parts = []
    for what in ("calls", "pieces"):
        without = [p99(getattr(well, what)) for well, _ in rounds]
        more = [p99(getattr(ill, what)) - before for (_, ill), before in zip(rounds, without, strict=True)]
        spread = f"({min(more):+.1f} to {max(more):+.1f})"
        parts.append(f"{statistics.median(without):9.1f} {statistics.median(more):+8.1f} {spread:20}")
    failed = sum(well.failed + ill.failed for well, ill in rounds)
    return f"{name:16}{parts[0]}{parts[1]}{failed:7}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Status 1 when calls failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stretch of traffic")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds between a switch and what follows")
    parser.add_argument("--rate", type=float, default=50.0, help="plain calls a second")
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--only", default=",".join(FAULTS), help=",".join(FAULTS))
    options = parser.parse_args(arguments)
    failed = 0
    print(f"{'p99, ms':16}{'calls without, with the fault':40}{'pieces late without, with':39}failed")
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="sightglass-faults-") as folder:
            try:
                rounds = measure(name, Path(folder), options)
            except LeftOutError as error:
                print(f"{name:16}left out: {error}", flush=True)
                continue
        print(told(name, rounds), flush=True)
        failed += sum(well.failed + ill.failed for well, ill in rounds)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
