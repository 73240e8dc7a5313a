"""kill -9 of relay, observer, supervisor and of all at once, under traffic: nothing that a client has may be lost.

    python -m bench.kill --rounds 100 [--seed N]

Each round: mixed traffic (plain and streamed) at 200 calls a second through a real `sightglass serve` before the
stand-in model, one kill at a random moment, traffic goes on. Then the ledger is held against what the clients saw:

- every call that a client received whole is there once, as `ok`, with the tokens that the model says it took;
- no call is there twice;
- calls that the model saw and no client received whole are there, as `interrupted` or with the fault that cut them;
- a call succeeds within 2 s of the kill (a supervisor that is gone is started again at once, as systemd does).

What is not there soon after its round is looked for again at the end: late is not lost.
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

from bench.product import Product

TARGETS: Final = ("relay", "observer", "supervisor", "all")
CALLS_A_SECOND: Final = 200
BACK_WITHIN_S: Final = 2.0
_UNDER_WAY: Final = 200  # a machine that cannot keep up would meet the limit of connections of one address
_GIVEN_UP_S: Final = 30.0  # traffic ends though nothing answers


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
    late: int = 0  # received whole, and not in the ledger soon after
    troubles: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Compared:
    """What the ledger and the clients disagree about."""

    troubles: list[str]
    missing: list[str]  # received whole and not there


class Traffic:
    """Clients at a steady rate, each call with its own request id."""

    def __init__(self, product: Product, chance: random.Random) -> None:
        self._product, self._chance = product, chance
        self.seen: dict[str, Seen] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._stop = False
        self.killed_at = float("inf")  # monotonic
        self.back = asyncio.Event()  # a call sent after the kill was answered

    async def run(self) -> None:
        """Until stop(); then waits for the calls under way."""
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
            began, sent = time.monotonic(), 0
            while not self._stop:
                while sent < (time.monotonic() - began) * CALLS_A_SECOND:
                    sent += 1
                    if len(self._running) >= _UNDER_WAY:
                        continue
                    task = asyncio.create_task(self._call(session))  # noqa: TID251 - held in the set
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                await asyncio.sleep(0.005)
            if self._running:
                await asyncio.wait(self._running)

    def stop(self) -> None:
        """No more calls."""
        self._stop = True

    def back_s(self) -> float:
        """Seconds from the kill to the first answer to a call sent after it; inf: there was none."""
        after = [s.whole_at for s in self.seen.values() if s.whole_at is not None and s.sent_at > self.killed_at]
        return min(after, default=float("inf")) - self.killed_at

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
                    if seen.sent_at > self.killed_at:
                        self.back.set()
                    if not stream:
                        seen.completion_tokens = json.loads(content)["usage"]["completion_tokens"]


async def play_round(
    product: Product, target: str, chance: random.Random, *, back_within_s: float
) -> tuple[Round, Traffic]:
    """One kill under traffic, then the ledger held against the clients' knowledge."""
    begun = time.time()
    traffic = Traffic(product, chance)
    running = asyncio.create_task(traffic.run())  # noqa: TID251 - awaited below
    await asyncio.sleep(0.2 + chance.random() * 0.5)
    traffic.killed_at = time.monotonic()
    killed = product.kill(target)
    await asyncio.sleep(1.0)
    with suppress(TimeoutError):
        await asyncio.wait_for(traffic.back.wait(), _GIVEN_UP_S)
    traffic.stop()
    await running
    back_s = traffic.back_s()
    whole = sum(s.whole_at is not None for s in traffic.seen.values())
    result = Round(target=target, whole=whole, cut=len(traffic.seen) - whole, back_s=back_s)
    if not killed:
        result.troubles.append(f"no {target} was there to be killed")
    if back_s > back_within_s:
        result.troubles.append(f"first call answered {back_s:.1f} s after the kill")
    compared = await reconcile(product, traffic.seen, begun)
    result.troubles += compared.troubles
    result.late = len(compared.missing)
    return result, traffic


async def reconcile(product: Product, seen: dict[str, Seen], begun: float, *, patience_s: float = 10.0) -> Compared:
    """Wait until every call received whole is in the ledger; what is wrong then."""
    deadline = time.monotonic() + patience_s
    while True:
        await asyncio.sleep(0.3)
        with suppress(sqlite3.Error):
            compared = compare(product.rows(begun - 1), seen)
            if not (compared.troubles or compared.missing) or time.monotonic() > deadline:
                return compared
        if time.monotonic() > deadline + 2:
            return Compared(troubles=["the ledger cannot be read"], missing=[])


def compare(rows: list[dict[str, object]], calls: dict[str, Seen]) -> Compared:
    """Each call received whole against its row; no call may have two."""
    by_id: dict[object, list[dict[str, object]]] = {}
    for row in rows:
        by_id.setdefault(row["request_id"], []).append(row)
    troubles = [f"{key} is there {len(found)} times" for key, found in by_id.items() if len(found) > 1]
    whole = [seen for seen in calls.values() if seen.whole_at is not None]
    missing = [seen.request_id for seen in whole if seen.request_id not in by_id]
    for seen in whole:
        for row in by_id.get(seen.request_id, [])[:1]:
            if row["outcome"] != "ok" or row["tokens_source"] != "reported":
                troubles.append(f"{seen.request_id} was received whole and is {row['outcome']}, {row['tokens_source']}")
            elif row["completion_tokens"] != (seen.completion_tokens or 20) or not row["prompt_tokens"]:
                troubles.append(f"{seen.request_id} has {row['completion_tokens']} tokens")
    return Compared(troubles=troubles, missing=missing)


async def play(
    rounds: int,
    *,
    seed: int,
    folder: Path,
    targets: tuple[str, ...] = TARGETS,
    back_within_s: float = BACK_WITHIN_S,
) -> list[Round]:
    """Several rounds over one product; targets take turns. Each kill meets a Sightglass that serves."""
    chance = random.Random(seed)
    product = Product(folder)
    played: list[Round] = []
    seen: dict[str, Seen] = {}
    try:
        product.start_model()
        product.serve()
        for number in range(rounds):
            product.wait_serving()
            target = targets[number % len(targets)]
            latest, traffic = await play_round(product, target, chance, back_within_s=back_within_s)
            played.append(latest)
            seen |= traffic.seen
            print(f"round {number + 1:3} {told(latest)}", flush=True)
        played += await last_look(product, seen)
    finally:
        product.stop()
    return played


def told(played: Round) -> str:
    """One round on one line."""
    return (
        f"{played.target:10} {played.whole:4} whole {played.cut:3} cut {played.late:3} late"
        f"  back after {played.back_s:.2f} s  {'; '.join(played.troubles[:3]) or 'nothing lost'}"
    )


async def last_look(product: Product, seen: dict[str, Seen]) -> list[Round]:
    """At the end every call received whole is there once, and none stays open.

    Calls under way at a kill are `interrupted` or have the fault that cut them.
    """
    compared = await reconcile(product, seen, 0.0, patience_s=30.0)
    outcomes = Counter(str(row["outcome"]) for row in product.rows(0))
    print("outcomes in the ledger:", dict(outcomes))
    foreign = set(outcomes) - {"ok", "interrupted", "client_gone", "incomplete", "upstream_error"}
    troubles = compared.troubles + [f"{key} was received whole and is lost" for key in compared.missing]
    if foreign:
        troubles.append(f"outcomes that nobody caused: {sorted(foreign)}")
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
    late = sum(each.late for each in played)
    print(f"{len(played)} rounds, {len(bad)} with troubles, {late} calls late, slowest back after {slowest:.2f} s")
    print("\n".join(trouble for each in bad for trouble in each.troubles))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
