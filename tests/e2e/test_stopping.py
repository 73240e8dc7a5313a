"""SIGTERM lets running calls finish and refuses new ones; a second one ends at once; nothing is lost either way."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from bench.product import Product
from tests.e2e.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STREAM = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Product]:
    """One that drains for a second only."""
    yield from running(Product(tmp_path, env={"SIGHTGLASS_DRAIN_S": "1"}))


async def begin(session: aiohttp.ClientSession, product: Product, pace: str) -> aiohttp.ClientResponse:
    """A stream whose head is there."""
    return await session.post(f"{product.url}/v1/chat/completions", json=STREAM, headers={"x-stand-in": pace})


async def wait_draining(product: Product) -> None:
    """Until new connections are refused."""
    async with asyncio.timeout(60):
        with suppress(aiohttp.ClientConnectorError):
            while True:
                async with aiohttp.ClientSession() as other, other.get(f"{product.url}/-/health"):
                    await asyncio.sleep(0.02)


async def wait_ended(product: Product, *, timeout_s: float) -> int:
    assert product.supervisor is not None
    async with asyncio.timeout(timeout_s):
        while product.supervisor.poll() is None:
            await asyncio.sleep(0.02)
    return product.supervisor.returncode


async def test_running_streams_finish_and_new_calls_are_refused(product: Product) -> None:
    async with aiohttp.ClientSession() as session:
        streams = [await begin(session, product, "token_s=0.1") for _ in range(5)]
        assert product.supervisor is not None
        product.supervisor.send_signal(signal.SIGTERM)
        await wait_draining(product)
        answers = await asyncio.gather(*(answer.read() for answer in streams))
        status = await wait_ended(product, timeout_s=60)

    rows = product.rows()
    assert status == 0
    assert all(answer.endswith(b"data: [DONE]\n\n") for answer in answers)
    assert [(row["outcome"], row["completion_tokens"]) for row in rows] == [("ok", 20)] * 5
    assert product.pids("all") == []


async def test_a_stream_that_outlasts_the_drain_is_cut_and_interrupted(impatient: Product) -> None:
    async with aiohttp.ClientSession() as session:
        answer = await begin(session, impatient, "token_s=2")
        assert impatient.supervisor is not None
        impatient.supervisor.send_signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
        await wait_ended(impatient, timeout_s=60)

    assert [row["outcome"] for row in impatient.rows()] == ["interrupted"]


async def test_a_second_sigterm_ends_at_once(product: Product) -> None:
    async with aiohttp.ClientSession() as session:
        answer = await begin(session, product, "token_s=2")  # 40 s; and the drain takes 30
        assert product.supervisor is not None
        product.supervisor.send_signal(signal.SIGTERM)
        await wait_draining(product)
        product.supervisor.send_signal(signal.SIGTERM)
        with pytest.raises(aiohttp.ClientError):
            await answer.read()
        await wait_ended(product, timeout_s=20)

    assert product.pids("all") == []


async def test_ctrl_c_of_the_whole_group_drains_too(product: Product) -> None:
    async with aiohttp.ClientSession() as session:
        call = await begin(session, product, "token_s=0.05")
        assert product.supervisor is not None
        os.killpg(product.supervisor.pid, signal.SIGINT)
        answer = await call.read()
        status = await wait_ended(product, timeout_s=60)

    assert (status, answer[-14:]) == (0, b"data: [DONE]\n\n")
