"""A whole Sightglass as its users meet it: processes, ports, workers, ledger, metrics, command line."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import openai
import pytest

from bench.processes import free_port, title, tree
from bench.product import Product
from tests.e2e.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

COMMAND = str(Path(sys.executable).with_name("sightglass"))
MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Product]:
    """One with two relays."""
    yield from running(Product(tmp_path, workers=2))


async def ask(session: aiohttp.ClientSession, product: Product, *, stream: bool = False) -> bytes:
    body = {"model": "chat", "stream": stream, "messages": MESSAGES}
    async with session.post(f"{product.url}/v1/chat/completions", json=body) as answer:
        assert answer.status == 200
        return await answer.read()


async def metric_sum(session: aiohttp.ClientSession, product: Product, name: str) -> float:
    async with session.get(f"{product.console_url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + "{", name + " ")))


def test_titles_tell_the_processes_apart(two_workers: Product) -> None:
    assert two_workers.supervisor is not None
    titles = sorted(title(pid) for pid in tree(two_workers.supervisor.pid))

    assert titles == ["sightglass: observer", "sightglass: relay 0", "sightglass: relay 1", "sightglass: supervisor"]


async def test_two_workers_are_summed_in_metrics_and_ledger(two_workers: Product) -> None:
    for _ in range(10):  # new connections, so that the kernel spreads them
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(ask(session, two_workers, stream=n % 2 == 0) for n in range(10)))
    rows = two_workers.wait_rows(100)
    await asyncio.sleep(0.3)

    assert len(rows) == 100
    assert {row["worker"] for row in rows} == {0, 1}
    async with aiohttp.ClientSession() as session:
        assert await metric_sum(session, two_workers, "sightglass_calls_total") == 100
        assert await metric_sum(session, two_workers, "sightglass_tokens_total") == sum(
            int(str(row[name])) for row in rows for name in ("prompt_tokens", "completion_tokens")
        )


async def test_the_ledger_keeps_up_with_200_a_second(product: Product) -> None:
    wanted = 0
    async with aiohttp.ClientSession() as session:
        for _ in range(5):
            began = time.monotonic()
            calls = []
            for number in range(100):
                await asyncio.sleep(max(began + number / 200 - time.monotonic(), 0))
                calls.append(asyncio.ensure_future(ask(session, product, stream=number % 2 == 0)))
            await asyncio.gather(*calls)
            wanted += 100
            await asyncio.to_thread(product.wait_rows, wanted)

    assert len(product.rows()) == wanted


def test_the_openai_sdk_needs_one_line(product: Product) -> None:
    client = openai.OpenAI(base_url=f"{product.url}/v1", api_key="sk-not-to-be-seen")
    plain = client.chat.completions.create(model="chat", messages=MESSAGES)  # type: ignore[arg-type]
    pieces = list(client.chat.completions.create(model="chat", messages=MESSAGES, stream=True))  # type: ignore[arg-type]
    client.close()

    rows = product.wait_rows(2)
    assert plain.usage is not None
    assert [piece for piece in pieces if piece.usage is not None] == []
    assert [(row["outcome"], row["completion_tokens"], row["tokens_source"]) for row in rows] == [
        ("ok", plain.usage.completion_tokens, "reported")
    ] * 2
    kept = b"".join(path.read_bytes() for path in product.data.rglob("*") if path.is_file())
    assert b"sk-not-to-be-seen" not in kept
    assert "sk-not-to-be-seen" not in (product.folder / "sightglass.log").read_text()


def test_calls_prints_the_ledger(product: Product) -> None:
    client = openai.OpenAI(base_url=f"{product.url}/v1", api_key="x")
    client.chat.completions.create(model="chat", messages=MESSAGES)  # type: ignore[arg-type]
    client.close()
    product.wait_rows(1)

    printed = subprocess.run(
        [COMMAND, "calls", "--data", str(product.data), "--json"], capture_output=True, text=True, check=True
    )

    call = json.loads(printed.stdout)
    assert (call["model"], call["outcome"], call["route"]) == ("chat", "ok", "/v1/chat/completions")
    assert "cost_usd" not in call


def test_a_data_directory_is_served_once(product: Product) -> None:
    argv = [COMMAND, "serve", "--data", str(product.data), "--port", str(free_port())]
    second = subprocess.run(
        [*argv, "--console-port", str(free_port())], capture_output=True, text=True, check=False, timeout=20
    )

    assert second.returncode == 1
    assert "is in use by process" in second.stderr


def test_a_taken_port_is_told(product: Product, tmp_path: Path) -> None:
    argv = [COMMAND, "serve", "--data", str(tmp_path / "other"), "--port", str(product.port)]
    second = subprocess.run(
        [*argv, "--console-port", str(free_port())], capture_output=True, text=True, check=False, timeout=20
    )

    assert second.returncode == 1
    assert str(product.port) in second.stderr


def test_mistakes_end_with_status_2_all_at_once(tmp_path: Path) -> None:
    argv = [COMMAND, "serve", "--upstream", "localhost:11434", "--port", "70000", "--workers", "none"]
    told = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=20)

    assert told.returncode == 2
    assert all(word in told.stderr for word in ("upstream", "port", "workers", "http://localhost:11434"))


@pytest.mark.parametrize("part", ["reading", "pricing", "metrics", "log", "ledger:3"])
async def test_a_fault_of_an_observing_part_never_reaches_a_client(tmp_path: Path, part: str) -> None:
    for product in running(Product(tmp_path, env={"SIGHTGLASS_INTERNAL_FAIL": part})):
        async with aiohttp.ClientSession() as session:
            bodies = [await ask(session, product, stream=stream) for stream in (False, True)]
        rows = product.wait_rows(2)

        assert bodies[0].startswith(b'{"id":"chatcmpl-')
        assert bodies[1].endswith(b"data: [DONE]\n\n")
        assert [row["outcome"] for row in rows] == ["ok", "ok"]
        named = part if part in ("reading", "pricing") else None
        assert all((named is None) or named in str(row["observer_errors"]) for row in rows)
