"""New settings and new processes under traffic: nobody is refused, no stream is cut, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from bench.product import Product
from tests.e2e.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
DONE = b"data: [DONE]\n\n"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """Two relays, and a settings file that the tests write to."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("workers: 2\n")
    yield from running(Product(tmp_path, workers=None, env={"SIGHTGLASS_CONFIG": str(settings)}))


def write(product: Product, text: str, *, workers: int = 2) -> None:
    (product.folder / "settings.yaml").write_text(f"workers: {workers}\n{text}")


async def reload(product: Product) -> tuple[int, str]:
    command = [str(Path(sys.executable).with_name("sightglass")), "reload", "--data", str(product.data)]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


class Traffic:
    """Streams, calls on kept connections and calls on new ones, all the time."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.ended = 0
        self.wrong: list[str] = []
        self.stop = asyncio.Event()

    async def run(self) -> None:
        async with aiohttp.ClientSession() as kept, asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(self.calls(kept))
            for _ in range(2):
                group.create_task(self.fresh())
            for _ in range(4):
                group.create_task(self.streams(kept))

    async def calls(self, session: aiohttp.ClientSession) -> None:
        while not self.stop.is_set():
            await self.call(session, {})
            await asyncio.sleep(0.1)

    async def fresh(self) -> None:
        while not self.stop.is_set():
            async with aiohttp.ClientSession() as session:
                await self.call(session, {})
            await asyncio.sleep(0.1)

    async def streams(self, session: aiohttp.ClientSession) -> None:
        while not self.stop.is_set():
            await self.call(session, {"stream": True}, pace="token_s=0.15")

    async def call(self, session: aiohttp.ClientSession, more: dict[str, object], pace: str = "token_s=0") -> None:
        try:
            url = f"{self.product.url}/v1/chat/completions"
            async with session.post(url, json={**CHAT, **more}, headers={"x-stand-in": pace}) as answer:
                body = await answer.read()
            whole = body.endswith(DONE) if more else "choices" in json.loads(body)
            if answer.status != 200 or not whole:
                self.wrong.append(f"{answer.status} {body[-200:]!r}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self.wrong.append(repr(error))
        self.ended += 1


async def test_three_reloads_under_traffic_refuse_and_cut_nothing(product: Product) -> None:
    traffic = Traffic(product)
    before = {kind: set(product.pids(kind)) for kind in ("relay", "observer")}
    under_way = asyncio.ensure_future(traffic.run())
    await asyncio.sleep(1)
    results = []
    for number in range(3):
        write(product, f"drain_s: {20 + number}\n")
        results.append(await reload(product))
        await asyncio.sleep(1)
    traffic.stop.set()
    await under_way
    rows = product.wait_rows(traffic.ended, timeout_s=60)

    assert results == [(0, "sightglass: reloaded\n")] * 3
    assert traffic.wrong == []
    assert traffic.ended > 30
    assert len(rows) == traffic.ended
    assert {row["outcome"] for row in rows} == {"ok"}
    assert not before["relay"] & set(product.pids("relay"))
    assert not before["observer"] & set(product.pids("observer"))


async def test_new_settings_are_in_force_and_bad_ones_change_nothing(product: Product) -> None:
    async def status() -> int:
        """On a fresh connection: a kept one may bring the old relay one more call."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{product.url}/v1/chat/completions", json=CHAT) as answer,
        ):
            await answer.read()
            return answer.status

    first = await status()
    write(product, "limits: {body_bytes: 10}\n")
    done = await reload(product)
    second = await status()
    async with asyncio.timeout(60):
        while len(pids := product.pids("relay")) != 2:
            await asyncio.sleep(0.1)
    write(product, "limits: {body_bytes: -1, nonsense: 2}\nport: 1\n")
    bad = await reload(product)
    third = await status()

    assert (first, second, third) == (200, 413, 413)
    assert done[0] == 0
    assert bad[0] == 2
    assert "limits.body_bytes" in bad[1]
    assert "limits.nonsense" in bad[1]
    assert sorted(product.pids("relay")) == sorted(pids)


async def test_a_stream_outlasts_the_drain_time_of_a_reload(product: Product) -> None:
    """drain_s is for stopping; an old relay has all the time that its calls take."""
    write(product, "drain_s: 0.5\n")
    await reload(product)
    async with aiohttp.ClientSession() as session:
        stream = asyncio.ensure_future(
            session.post(
                f"{product.url}/v1/chat/completions",
                json={**CHAT, "stream": True},
                headers={"x-stand-in": "token_s=0.3"},
            )
        )
        answer = await stream
        done = await reload(product)
        body = await answer.read()

    assert done[0] == 0
    assert body.endswith(DONE)
    assert [row["outcome"] for row in product.wait_rows(1)] == ["ok"]


async def test_retired_relays_leave_and_sigterm_ends_everything(product: Product) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{product.url}/-/health"):
            pass  # an idle connection to an old relay
        assert product.supervisor is not None
        os.kill(product.supervisor.pid, signal.SIGHUP)
        async with asyncio.timeout(60):
            while len(product.pids("relay")) != 2 or not (product.data / "reload.json").exists():
                await asyncio.sleep(0.1)
    product.supervisor.send_signal(signal.SIGTERM)
    product.supervisor.wait(60)

    assert product.pids("all") == []
    assert json.loads((product.data / "reload.json").read_text())["state"] == "done"


async def test_workers_grow_and_shrink_without_refusing(product: Product, tmp_path: Path) -> None:
    traffic = Traffic(product)
    under_way = asyncio.ensure_future(traffic.run())
    for workers in (3, 1, 2):
        write(product, "", workers=workers)
        assert (await reload(product))[0] == 0
        await asyncio.sleep(0.5)
    traffic.stop.set()
    await under_way
    async with asyncio.timeout(60):
        while len(product.pids("relay")) != 2:
            await asyncio.sleep(0.1)

    assert traffic.wrong == []
