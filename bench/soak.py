"""A long time under ordinary trouble: does anything get lost, grow, or slow down?

    python -m bench.soak --minutes 30 [--rate 100] [--streams 200] [--json FILE]

A real `sightglass serve` before the stand-in model: `rate` calls a second, of them so many streams of 10 s that
`streams` are under way at any time. Some clients leave in mid-stream, some upstream answers fail in each of the usual
ways. Each call has a request id of its own; at the end the ledger is held against what the clients know. Meanwhile,
every 5 s: resident memory and descriptors of each process; every 0.1 s a question to the relay's loop (see lag.py).

Wanted: 0 lost, 0 double, memory < 1 MB/h once warm, descriptors constant, lag p99 <= 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import lag
from bench.processes import cpu_ns, memory, raise_file_limit, stop, title, tree
from bench.product import Product
from bench.trend import quantile, slope

STREAM_S: Final = 10.0
TOKENS: Final = 20
LEAVING: Final = 0.05  # of the streams
FAILING: Final = 0.02  # of all calls
STREAM_FAULTS: Final = ("reset-mid-stream", "close-mid-stream", "clean-end-mid-stream", "bad-chunk", "reset-mid-chunk")
PLAIN_FAULTS: Final = (
    "status:503",
    "status:429",
    "reset-before-head",
    "close-before-head",
    "bad-head",
    "close-mid-head",
)
SAMPLE_S: Final = 5.0
WARM_S: Final = 600.0  # or a third of the run, if that is less


@dataclass
class Clients:
    """All calls, and what their clients know of their fate."""

    product: Product
    rate: float
    streams: int
    chance: random.Random
    fates: dict[str, str] = field(default_factory=dict)  # request id -> whole, left, failed, lost
    streaming: int = 0
    late_s: float = 0.0  # how far behind its own pace the generator was, at most
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, seconds: float) -> None:
        """At a steady rate; then waits for the calls under way."""
        timeout = aiohttp.ClientTimeout(total=60)
        stream_share = self.streams / STREAM_S / self.rate
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
            began, sent = time.monotonic(), 0
            while (now := time.monotonic() - began) < seconds:
                self.late_s = max(self.late_s, now - (sent + 1) / self.rate)
                while sent < now * self.rate:
                    sent += 1
                    task = asyncio.create_task(self._call(session, sent, self.chance.random() < stream_share))  # noqa: TID251 - held in the set
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                await asyncio.sleep(0.005)
            while self._running:
                await asyncio.wait(self._running)

    async def _call(self, session: aiohttp.ClientSession, number: int, stream: bool) -> None:
        request_id = f"soak-{number:08d}"
        self.fates[request_id] = "lost"
        fault = ""
        if self.chance.random() < FAILING:
            fault = ";fault=" + self.chance.choice(STREAM_FAULTS if stream else PLAIN_FAULTS)
        leave_s = self.chance.uniform(0.2, 0.8) * STREAM_S if stream and self.chance.random() < LEAVING else None
        body = {"model": "chat", "stream": stream, "messages": [{"role": "user", "content": f"hello {number}"}]}
        wish = f"tokens={TOKENS};token_s={STREAM_S / TOKENS if stream else 0}{fault}"
        self.streaming += stream
        try:
            async with asyncio.timeout(leave_s):
                self.fates[request_id] = await self._ask(
                    session, body, {"x-request-id": request_id, "x-stand-in": wish}
                )
        except TimeoutError:
            self.fates[request_id] = "left"
        except (aiohttp.ClientError, OSError):
            self.fates[request_id] = "failed" if fault else "lost"
        finally:
            self.streaming -= stream

    async def _ask(self, session: aiohttp.ClientSession, body: dict[str, Any], headers: dict[str, str]) -> str:
        url = f"{self.product.url}/v1/chat/completions"
        async with session.post(url, json=body, headers=headers) as answer:
            content = await answer.read()
        whole = content.endswith(b"data: [DONE]\n\n") if body["stream"] else content.endswith(b"}\n")
        return "whole" if answer.status == 200 and whole else "failed"


@dataclass
class Samples:
    """Memory, descriptors and processor time of each process over time."""

    product: Product
    at: list[float] = field(default_factory=list)
    rss: dict[str, list[int]] = field(default_factory=dict)
    files: dict[str, list[int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        began = time.monotonic()
        while True:
            self.at.append(time.monotonic() - began)
            for pid in self.processes():
                name = title(pid).removeprefix("sightglass: ")
                self.rss.setdefault(name, []).append(memory(pid).rss)
                self.files.setdefault(name, []).append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
            if len(self.at) % 12 == 0:
                sizes = ", ".join(
                    f"{name} {sizes[-1] / 1e6:.1f} MB {self.files[name][-1]} fds" for name, sizes in self.rss.items()
                )
                print(f"{self.at[-1] / 60:5.1f} min  {sizes}", flush=True)
            await asyncio.sleep(SAMPLE_S)

    def processes(self) -> list[int]:
        """Ours."""
        assert self.product.supervisor is not None
        return tree(self.product.supervisor.pid)

    def figures(self, after_s: float) -> dict[str, Any]:
        """Growth and range of each process since then."""
        first = next((index for index, at in enumerate(self.at) if at >= after_s), 0)
        hours = [at / 3600 for at in self.at[first:]]
        found: dict[str, Any] = {}
        for name, sizes in self.rss.items():
            grown = slope(hours, [size / 1e6 for size in sizes[first:]]) if len(sizes) == len(self.at) else None
            files = self.files[name][first:]
            found[name] = {
                "rss_mb": round(sizes[-1] / 1e6, 2),
                "rss_mb_an_hour": round(grown.value, 3) if grown else None,
                "error": round(grown.error, 3) if grown else None,
                "files": [min(files), max(files)],
                "files_an_hour": round(slope(hours, files).value, 2) if grown else None,
            }
        if all(len(sizes) == len(self.at) for sizes in self.rss.values()):
            sums = [sum(each) / 1e6 for each in zip(*self.rss.values(), strict=True)]
            grown = slope(hours, sums[first:])
            found["all"] = {
                "rss_mb": round(sums[-1], 2),
                "rss_mb_an_hour": round(grown.value, 3),
                "error": round(grown.error, 3),
            }
        return found


def compare(data: Path, fates: dict[str, str]) -> dict[str, Any]:
    """What the ledger and the clients disagree about."""
    with closing(sqlite3.connect(f"file:{data}/ledger.sqlite3?mode=ro", uri=True)) as ledger:
        rows = ledger.execute("SELECT request_id, outcome FROM calls WHERE request_id LIKE 'soak-%'").fetchall()
    times = Counter(request_id for request_id, _ in rows)
    outcomes = dict(rows)
    wanted = {"whole": {"ok"}, "left": {"client_gone", "upstream_error", "incomplete"}}
    wrong = {
        request_id: f"{fate}, but {outcomes[request_id]}"
        for request_id, fate in fates.items()
        if request_id in outcomes and not _fits(fate, outcomes[request_id], wanted)
    }
    return {
        "calls": len(fates),
        "fates": dict(Counter(fates.values())),
        "outcomes": dict(Counter(outcome for _, outcome in rows)),
        "missing": sorted(set(fates) - set(outcomes))[:20],
        "missing_count": len(set(fates) - set(outcomes)),
        "double_count": sum(count > 1 for count in times.values()),
        "wrong": dict(list(wrong.items())[:20]),
        "wrong_count": len(wrong),
    }


def _fits(fate: str, outcome: str, wanted: dict[str, set[str]]) -> bool:
    return outcome in wanted[fate] if fate in wanted else outcome not in ("ok", "client_gone")


async def soak(product: Product, *, seconds: float, rate: float, streams: int, seed: int) -> dict[str, Any]:
    """One run against a product that serves. Gives the figures."""
    clients = Clients(product, rate, streams, random.Random(seed))
    samples = Samples(product)
    cpu = sum(map(cpu_ns, samples.processes()))
    lags = product.folder / "lags"
    argv = [sys.executable, "-m", "bench.lag", "--port", str(product.port), "--into", str(lags)]
    probe = subprocess.Popen(argv)  # noqa: ASYNC220 - our own module, once
    sampling = asyncio.create_task(samples.run())  # noqa: TID251 - held and cancelled below
    began = time.time()
    warm_s = min(WARM_S, seconds / 3)
    try:
        await clients.run(seconds)
        sampling.cancel()
    finally:
        stop(probe)
    cpu = sum(map(cpu_ns, samples.processes())) - cpu
    await _caught_up(product, len(clients.fates))
    took = lag.read(lags, began + warm_s)
    return {
        "minutes": round(seconds / 60, 2),
        "rate": rate,
        "streams": streams,
        "warm_s": warm_s,
        "generator_late_s": round(clients.late_s, 3),
        "ledger": compare(product.data, clients.fates),
        "cpu_us_a_call": round(cpu / 1000 / len(clients.fates)),
        "lag_ms": {
            name: round(quantile(took, q) * 1000, 2)
            for name, q in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1))
        },
        "processes": samples.figures(warm_s),
    }


async def _caught_up(product: Product, calls: int, *, patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(f"file:{product.data}/ledger.sqlite3?mode=ro", uri=True)) as ledger:
            (count,) = ledger.execute("SELECT count(*) FROM calls WHERE request_id LIKE 'soak-%'").fetchone()
        if count >= calls:
            return
        await asyncio.sleep(0.5)


def troubles(figures: dict[str, Any]) -> list[str]:
    """What is not as wanted."""
    ledger, found = figures["ledger"], []
    found += [f"{name}: {ledger[name]}" for name in ("missing_count", "double_count", "wrong_count") if ledger[name]]
    if lost := ledger["fates"].get("lost"):
        found.append(f"{lost} calls failed that nobody made fail")
    growth = figures["processes"].get("all", {}).get("rss_mb_an_hour")
    if growth is None:
        found.append("a process died and came back")
    elif growth - 2 * figures["processes"]["all"]["error"] >= 1.0:
        found.append(f"memory grows by {growth} MB an hour")
    if figures["lag_ms"]["p99"] > 50:
        found.append(f"lag p99 is {figures['lag_ms']['p99']} ms")
    return found


def main() -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=100.0, help="calls a second, streams among them")
    parser.add_argument("--streams", type=int, default=200, help="under way at any time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="the figures, as JSON")
    options = parser.parse_args()
    raise_file_limit()
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder))
        try:
            product.start_model()
            product.serve()
            product.wait_serving()
            figures = asyncio.run(
                soak(
                    product, seconds=60 * options.minutes, rate=options.rate, streams=options.streams, seed=options.seed
                )
            )
        finally:
            product.stop()
    text = json.dumps(figures, indent=2)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)
    found = troubles(figures)
    print("as wanted" if not found else "NOT as wanted: " + "; ".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
