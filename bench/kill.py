"""kill -9 of relay, observer, supervisor and of all at once, under traffic: nothing that a client has may be lost.

    python -m bench.kill --rounds 100 [--seed N]

Each round: mixed traffic (plain and streamed) at 200 calls a second through a real `sightglass serve` before the
stand-in model, one kill at a random moment, traffic goes on. Then the ledger is held against what the clients saw:

- every call that a client received whole is there once, as `ok`, with the tokens that the model says it took;
- no call is there twice;
- calls that the model saw and no client received whole are there, as `interrupted` or with the fault that cut them;
- a call succeeds within 2 s of the kill (a supervisor that is gone is started again at once, as systemd does).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from bench.processes import wait_port
from bench.product import Product

TARGETS: Final = ("relay", "observer", "supervisor", "all")
CALLS_A_SECOND: Final = 200
BACK_WITHIN_S: Final = 2.0


@dataclass(kw_only=True)
class Seen:
    """What a client knows of one call."""

    request_id: str
    stream: bool
    sent_at: float
    whole_at: float | None = None
    completion_tokens: int | None = None  # from the answer itself, where it tells


@dataclass(kw_only=True)
class Round:
    """One kill and what came of it."""

    target: str
    whole: int
    cut: int
    back_s: float
    troubles: list[str] = field(default_factory=list)


class Traffic:
    """Clients at a steady rate, each call with its own request id."""

    def __init__(self, product: Product, chance: random.Random) -> None:
        self._product, self._chance = product, chance
        self.seen: dict[str, Seen] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._stop = False

    async def run(self) -> None:
        """Until stop(); then waits for the calls under way."""
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
            began, sent = time.monotonic(), 0
            while not self._stop:
                while sent < (time.monotonic() - began) * CALLS_A_SECOND:
                    sent += 1
                    task = asyncio.create_task(self._call(session))  # noqa: TID251 - held in the set
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                await asyncio.sleep(0.005)
            if self._running:
                await asyncio.wait(self._running)

    def stop(self) -> None:
        """No more calls."""
        self._stop = True

    async def _call(self, session: aiohttp.ClientSession) -> None:
        stream = self._chance.random() < 0.5
        seen = Seen(request_id=f"kill-{self._chance.getrandbits(64):016x}", stream=stream, sent_at=time.monotonic())
        self.seen[seen.request_id] = seen
        body = {"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        url = f"http://127.0.0.1:{self._product.port}/v1/chat/completions"
        pace = {"x-request-id": seen.request_id, "x-stand-in": f"token_s={self._chance.choice((0, 0.002, 0.01))}"}
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.post(url, json=body, headers=pace) as answer:
                content = await answer.read()
                if answer.status == 200 and (not stream or content.endswith(b"data: [DONE]\n\n")):
                    seen.whole_at = time.monotonic()
                    if not stream:
                        seen.completion_tokens = json.loads(content)["usage"]["completion_tokens"]


async def play_round(product: Product, target: str, chance: random.Random) -> Round:
    """One kill under traffic, then the ledger held against the clients' knowledge."""
    begun = time.time()
    traffic = Traffic(product, chance)
    running = asyncio.create_task(traffic.run())  # noqa: TID251 - awaited below
    await asyncio.sleep(0.2 + chance.random() * 0.5)
    killed_at = time.monotonic()
    killed = product.kill(target)
    await asyncio.sleep(1.0)
    traffic.stop()
    await running
    after = [s.whole_at for s in traffic.seen.values() if s.whole_at is not None and s.sent_at > killed_at]
    back_s = min(after, default=float("inf")) - killed_at
    whole = [s for s in traffic.seen.values() if s.whole_at is not None]
    result = Round(target=target, whole=len(whole), cut=len(traffic.seen) - len(whole), back_s=back_s)
    if not killed:
        result.troubles.append(f"no {target} was there to be killed")
    if back_s > BACK_WITHIN_S:
        result.troubles.append(f"first call answered {back_s:.1f} s after the kill")
    result.troubles += await reconcile(product, traffic, begun)
    return result


async def reconcile(product: Product, traffic: Traffic, begun: float, *, patience_s: float = 10.0) -> list[str]:
    """Wait until every call received whole is in the ledger; what is wrong then."""
    deadline = time.monotonic() + patience_s
    while True:
        await asyncio.sleep(0.3)
        with suppress(sqlite3.Error):
            troubles = compare(product.rows(begun - 1), traffic)
            if not troubles or time.monotonic() > deadline:
                return troubles
        if time.monotonic() > deadline:
            return ["the ledger cannot be read"]


def compare(rows: list[dict[str, object]], traffic: Traffic) -> list[str]:
    """What the ledger and the clients disagree about."""
    by_id: dict[object, list[dict[str, object]]] = {}
    for row in rows:
        by_id.setdefault(row["request_id"], []).append(row)
    troubles = [f"{key} is there {len(found)} times" for key, found in by_id.items() if len(found) > 1]
    for seen in traffic.seen.values():
        found = by_id.get(seen.request_id, [])
        if seen.whole_at is None:
            continue
        if not found:
            troubles.append(f"{seen.request_id} was received whole and is not there")
            continue
        row = found[0]
        if row["outcome"] != "ok" or row["tokens_source"] != "reported":
            troubles.append(f"{seen.request_id} was received whole and is {row['outcome']}, {row['tokens_source']}")
        elif row["completion_tokens"] != (seen.completion_tokens or 20) or not row["prompt_tokens"]:
            troubles.append(f"{seen.request_id} has {row['completion_tokens']} tokens")
    return troubles


async def play(rounds: int, *, seed: int, folder: Path, targets: tuple[str, ...] = TARGETS) -> list[Round]:
    """Several rounds over one product; targets take turns."""
    chance = random.Random(seed)
    product = Product(folder)
    played = []
    try:
        product.start_model()
        product.serve()
        assert product.supervisor is not None
        wait_port(product.port, product.supervisor, log=folder / "sightglass.log")
        for number in range(rounds):
            played.append(await play_round(product, targets[number % len(targets)], chance))
            latest = played[-1]
            print(
                f"round {number + 1:3} {latest.target:10} {latest.whole:4} whole {latest.cut:3} cut"
                f"  back after {latest.back_s:.2f} s  {'; '.join(latest.troubles[:3]) or 'nothing lost'}",
                flush=True,
            )
        played += await last_look(product)
    finally:
        product.stop()
    return played


async def last_look(product: Product) -> list[Round]:
    """At the end nothing may stay open: calls under way at a kill are `interrupted` or have the fault that cut them."""
    await asyncio.sleep(1.0)
    outcomes = Counter(str(row["outcome"]) for row in product.rows(0))
    print("outcomes in the ledger:", dict(outcomes))
    foreign = set(outcomes) - {"ok", "interrupted", "client_gone", "incomplete", "upstream_error", "refused"}
    troubles = [f"outcomes that nobody caused: {sorted(foreign)}"] if foreign else []
    if "interrupted" not in outcomes:
        troubles.append("no call is interrupted, though relays were killed with calls under way")
    return [Round(target="end", whole=0, cut=0, back_s=0.0, troubles=troubles)] if troubles else []


def main() -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(prog="python -m bench.kill", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        played = asyncio.run(play(options.rounds, seed=options.seed, folder=Path(folder)))
    bad = [each for each in played if each.troubles]
    slowest = max(each.back_s for each in played)
    print(f"{len(played)} rounds, {len(bad)} with troubles, slowest back after {slowest:.2f} s")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
