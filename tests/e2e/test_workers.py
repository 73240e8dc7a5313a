"""Several relays: one dies and the others do not notice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from bench.processes import title
from bench.product import Product
from tests.e2e.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STREAM = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
DONE = b"data: [DONE]\n\n"


@pytest.fixture
def three_workers(tmp_path: Path) -> Iterator[Product]:
    """One with three relays."""
    yield from running(Product(tmp_path, workers=3))


async def stream(product: Product, pace: str = "token_s=0") -> bytes:
    """Over a connection of its own, so that the kernel chooses a relay."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{product.url}/v1/chat/completions", json=STREAM, headers={"x-stand-in": pace}) as answer,
    ):
        return await answer.read()


async def wait_relay(product: Product, worker: int, *, but: int | None = None) -> int:
    """Process of that relay, once there is one that was not `but`."""
    async with asyncio.timeout(60):
        while True:
            for pid in product.pids(f"relay {worker}"):
                if pid != but:
                    return pid
            await asyncio.sleep(0.01)


async def test_a_relay_that_dies_is_back_and_the_streams_of_the_others_go_on(three_workers: Product) -> None:
    before = sorted(three_workers.pids("relay"))
    victim = await wait_relay(three_workers, 1)
    calls = [asyncio.ensure_future(stream(three_workers, "token_s=0.1")) for _ in range(30)]
    await asyncio.sleep(1.0)

    os.kill(victim, signal.SIGKILL)
    await wait_relay(three_workers, 1, but=victim)
    ended = await asyncio.gather(*calls, return_exceptions=True)
    after = await asyncio.gather(*(stream(three_workers) for _ in range(30)))

    rows = three_workers.wait_rows(60)
    whole = [answer for answer in ended if isinstance(answer, bytes) and answer.endswith(DONE)]
    cut = {row["request_id"] for row in rows if row["worker"] == 1 and row["outcome"] == "interrupted"}
    assert set(before) - {victim} < set(three_workers.pids("relay"))
    assert all(answer.endswith(DONE) for answer in after)
    assert 0 < len(cut) < 30
    assert len(whole) == 30 - len(cut)
    assert {row["outcome"] for row in rows if row["worker"] != 1} == {"ok"}


async def test_a_relay_in_a_crash_loop_takes_no_connections_from_the_others(three_workers: Product) -> None:
    last = await wait_relay(three_workers, 2)
    for _ in range(4):  # the fourth restart waits 2 s
        os.kill(last, signal.SIGKILL)
        await asyncio.sleep(0.1)
        if _ < 3:
            last = await wait_relay(three_workers, 2, but=last)

    began, gone = time.time(), three_workers.pids("relay 2")
    answers = await asyncio.gather(*(stream(three_workers) for _ in range(40)))
    while len(served := three_workers.rows(began)) < len(answers):
        await asyncio.sleep(0.1)
    await wait_relay(three_workers, 2, but=last)
    async with asyncio.timeout(60):
        while not any(row["worker"] == 2 for row in three_workers.rows(time.time() - 1)):
            await asyncio.gather(*(stream(three_workers) for _ in range(10)))
            await asyncio.sleep(0.3)

    assert all(answer.endswith(DONE) for answer in answers)
    assert gone == []
    assert {row["worker"] for row in served} == {0, 1}  # a connection that it took would wait for its return
    assert '"crash_loop"' in (three_workers.folder / "sightglass.log").read_text()
    assert title(three_workers.pids("supervisor")[0]) == "sightglass: supervisor"
