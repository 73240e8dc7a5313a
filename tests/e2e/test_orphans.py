"""What becomes of the others when one process dies."""

from __future__ import annotations

import asyncio
import os
import signal

import aiohttp
import pytest

from bench.processes import tree
from bench.product import Product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


async def ask(product: Product, *, pace: str = "token_s=0") -> bytes:
    body = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{product.url}/v1/chat/completions", json=body, headers={"x-stand-in": pace}) as answer,
    ):
        return await answer.read()


async def wait_gone(pids: list[int], *, timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while any(os.path.exists(f"/proc/{pid}/stat") and not zombie(pid) for pid in pids):
            await asyncio.sleep(0.02)


def zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"


async def test_connections_wait_while_a_dead_relay_is_restarted(product: Product) -> None:
    os.kill(product.pids("relay")[0], signal.SIGKILL)

    answers = await asyncio.gather(*(ask(product) for _ in range(20)))

    assert all(answer.endswith(b"data: [DONE]\n\n") for answer in answers)


async def test_relays_serve_on_without_a_supervisor_and_leave_when_a_new_one_comes(product: Product) -> None:
    assert product.supervisor is not None
    orphans = product.pids("relay") + product.pids("observer")
    product.supervisor.kill()
    product.supervisor.wait()
    alone = await ask(product)

    running = asyncio.ensure_future(ask(product, pace="token_s=0.05"))
    await asyncio.sleep(0.2)
    product.serve()
    await wait_gone(orphans, timeout_s=60)
    across = await running
    after = await ask(product)

    assert all(answer.endswith(b"data: [DONE]\n\n") for answer in (alone, across, after))
    rows = product.wait_rows(3)
    assert [row["outcome"] for row in rows] == ["ok"] * 3
    assert len(product.pids("supervisor")) == 1


async def test_a_supervisor_killed_while_its_children_are_newborn_can_be_started_again(product: Product) -> None:
    product.kill("all")
    newborn = await wait_born(product)
    for pid in newborn:  # a busy machine: they do not come to open anything before the next supervisor looks
        os.kill(pid, signal.SIGSTOP)
    product.kill("supervisor")
    await wait_born(product)
    for pid in newborn:
        os.kill(pid, signal.SIGCONT)

    product.wait_serving()
    await wait_gone(newborn, timeout_s=60)

    assert product.supervisor is not None
    assert product.supervisor.poll() is None
    assert (await ask(product)).endswith(b"data: [DONE]\n\n")
    assert product.pids("supervisor") == [product.supervisor.pid]


async def wait_born(product: Product) -> list[int]:
    """Relay and observer as soon as the supervisor started them; these have opened nothing yet."""
    assert product.supervisor is not None
    async with asyncio.timeout(60):
        while len(children := tree(product.supervisor.pid)[1:]) < 2:
            await asyncio.sleep(0.01)
    return children


async def test_a_client_that_keeps_its_connection_is_not_refused_when_a_new_supervisor_comes(product: Product) -> None:
    assert product.supervisor is not None
    orphans = product.pids("relay")
    url, body = (
        f"{product.url}/v1/chat/completions",
        {"model": "chat", "messages": [{"role": "user", "content": "hello"}]},
    )
    statuses = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        product.kill("supervisor")
        async with asyncio.timeout(60):
            while any(os.path.exists(f"/proc/{pid}/stat") and not zombie(pid) for pid in orphans):
                async with session.post(url, json=body) as answer:
                    await answer.read()
                    statuses.append(answer.status)

    assert len(statuses) > 10
    assert set(statuses) == {200}


async def test_an_observer_that_dies_again_and_again_never_harms_calls(product: Product) -> None:
    for _ in range(4):
        for pid in product.pids("observer"):
            os.kill(pid, signal.SIGKILL)
        assert (await ask(product)).endswith(b"data: [DONE]\n\n")
        await asyncio.sleep(0.3)

    assert [row["outcome"] for row in product.wait_rows(4, timeout_s=60)] == ["ok"] * 4
