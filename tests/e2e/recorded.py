"""All recorded exchanges through one running Sightglass: relay, journal, observer and ledger, as processes.

The stand-in sends each recorded answer again, in the same reads and with the same pauses, SPEED times as fast. The
ledger is held while the calls are made: the observer must wait with its commit, so the journal keeps what the relay
wrote, and the meaning can be read from the very frames that the observer reads.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.product import Product
from proxy.core.exchange import Exchange
from proxy.journal import frames
from proxy.journal.reader import JournalReader
from proxy.standin import replay
from proxy.standin.replay import Recording
from proxy.standin.server import StandIn
from tests.relay.conftest import WIRE
from tests.relay.peer import Answer, connected
from tests.relay.replaying import received, request

SPEED = 3.0
_AT_ONCE = 16

Row = dict[str, Any]


class Passed(NamedTuple):
    """One exchange, as it was seen at every place that it passed."""

    recording: Recording
    answer: Answer | None  # what the client received; None = it left before any byte
    times_s: tuple[float, float]  # the client's: asked, and ended; of one clock
    exchange: Exchange  # what the relay kept
    row: Row  # what the ledger says


def pass_all(folder: Path) -> dict[str, Passed]:
    """Start a Sightglass before the stand-in, send all recorded requests, gather what came of them by name."""
    return asyncio.run(_pass_all(folder))


async def _pass_all(folder: Path) -> dict[str, Passed]:
    async with StandIn(recordings=WIRE) as stand_in:
        # By default a foreign page is refused by our own rule; Ollama's refusal of it was recorded, so let it pass.
        product = Product(folder, upstream=stand_in.url)
        try:
            product.serve()
            await asyncio.to_thread(product.wait_serving)
            return await _through(product, folder)
        finally:
            await asyncio.to_thread(product.stop)


async def _through(product: Product, folder: Path) -> dict[str, Passed]:
    names = replay.names(WIRE)
    with _held(product.data / "ledger.sqlite3"):
        room = asyncio.Semaphore(_AT_ONCE)
        answers = await asyncio.gather(*(_ask(product.port, name, room) for name in names))
        exchanges = await _exchanges(product, folder / "journal", len(names))
    rows = await asyncio.to_thread(product.wait_rows, len(names), timeout_s=60.0)
    by_id: dict[str, Row] = {str(row["request_id"]): row for row in rows}
    assert len(rows) == len(by_id) == len(names)
    return {
        name: Passed(replay.load(WIRE, name), answer, times, exchanges[_id(name)], by_id[_id(name)])
        for name, (answer, times) in zip(names, answers, strict=True)
    }


async def _ask(port: int, name: str, room: asyncio.Semaphore) -> tuple[Answer | None, tuple[float, float]]:
    recording = replay.load(WIRE, name)
    async with room, connected(port) as peer:
        began = time.monotonic()
        peer.send(request(recording, f"x-request-id: {_id(name)}", answer_of=name, speed=SPEED))
        answer = await received(peer, recording, within_s=60.0)
        return answer, (began, time.monotonic())


def _id(name: str) -> str:
    return name.replace("/", "_")


@contextmanager
def _held(ledger: Path) -> Iterator[None]:
    """Nobody else can write to the ledger."""
    with closing(sqlite3.connect(ledger, isolation_level=None, timeout=10.0)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


async def _exchanges(product: Product, copy: Path, count: int) -> dict[str, Exchange]:
    """What the relay wrote to its journal, by request id, once it is all there."""
    deadline = time.monotonic() + 60.0
    while True:
        shutil.copytree(product.data / "journal", copy)
        with closing(JournalReader(copy, {})) as reader:
            found = [frame for _, frame in reader.read(most=100_000).frames if frame.kind == frames.FINISHED]
        shutil.rmtree(copy)
        if len(found) >= count:
            break
        assert time.monotonic() < deadline, f"{len(found)} of {count} calls have ended"
        await asyncio.sleep(0.1)
    return {exchange.finished.request_id: exchange for exchange in (frame.exchange() for frame in found)}
