"""A model that changes in mid-traffic, before a whole Sightglass: event, metric, log line and `drift status`."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.product import Product
from tests.e2e.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMMAND = str(Path(sys.executable).with_name("sightglass"))
WARM_UP = 200
TOPICS = ("rivers", "engines", "gardens", "letters", "markets", "bridges", "teachers", "windows")


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    yield from running(Product(tmp_path, env={"SIGHTGLASS_DRIFT__WARM_UP_ANSWERS": str(WARM_UP)}))


class Traffic:
    """Calls one after the other; their prompts differ."""

    def __init__(self, product: Product, session: aiohttp.ClientSession) -> None:
        self._product, self._session, self._asked = product, session, 0

    async def become(self, **settings: Any) -> None:
        """Change the stand-in model."""
        address = f"http://127.0.0.1:{self._product.model_port}/stand-in/set"
        async with self._session.post(address, json=settings) as answer:
            assert answer.status == 200, await answer.text()

    async def ask(self, count: int) -> None:
        """So many calls, then wait until the ledger has them."""
        for _ in range(count):
            self._asked += 1
            prompt = f"Tell me of {TOPICS[self._asked % 7]} and of the number {self._asked * 7919 % 100_003}, please"
            body = {"model": "chat", "messages": [{"role": "user", "content": prompt}]}
            async with self._session.post(f"{self._product.url}/v1/chat/completions", json=body) as answer:
                assert answer.status == 200
                await answer.read()
        assert len(self._product.wait_rows(self._asked)) >= self._asked


def drift(product: Product, *arguments: str) -> str:
    command = [COMMAND, "drift", *arguments, "--data", str(product.data)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def told(product: Product, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in drift(product, *arguments, "--json").splitlines()]


def raised(product: Product) -> list[dict[str, Any]]:
    return [event for event in told(product, "events") if event["kind"] == "drift_raised"]


async def wait_raised(product: Product, *, timeout_s: float = 60.0) -> list[dict[str, Any]]:
    deadline = time.monotonic() + timeout_s
    while not (found := raised(product)) and time.monotonic() < deadline:
        await asyncio.sleep(0.3)
    return found


async def test_a_model_that_leaks_is_told_everywhere(product: Product) -> None:
    async with aiohttp.ClientSession() as session:
        traffic = Traffic(product, session)
        await traffic.become(personality="plain")
        await traffic.ask(WARM_UP + 60)
        assert raised(product) == []
        [calm] = told(product, "status")
        assert (calm["state"], calm["baseline"], calm["answers"]) == ("calm", 1, WARM_UP + 60)

        await traffic.become(personality="leaking")
        await traffic.ask(15)
        [event, *_] = await wait_raised(product)
        async with session.get(f"{product.console_url}/metrics") as answer:
            metrics = await answer.text()

    assert "share:leak" in {one["details"]["subject"] for one in raised(product)}
    assert event["details"]["since_call_id"]
    assert told(product, "status")[0]["state"] == "alarmed"
    assert re.search(r'sightglass_drift_events_total\{kind="share",severity="\w+"\} [1-9]', metrics)
    assert 'sightglass_drift_events_total{kind="exact",severity="low"} 0' in metrics
    assert f'sightglass_quality_part_answers_total{{part="length"}} {WARM_UP + 75}' in metrics
    assert 'sightglass_answer_faults_total{fault="leak"}' in metrics
    assert re.search(
        r'sightglass_drift_state{digest="[0-9a-f]{12}",model="chat",route="/v1/chat/completions"} 2', metrics
    )
    assert "drift_raised" in (product.folder / "sightglass.log").read_text()
    assert "Since call" in drift(product, "explain", str(event["event_id"]))


async def test_what_is_killed_forgets_nothing_and_tells_nothing_twice(product: Product) -> None:
    async with aiohttp.ClientSession() as session:
        traffic = Traffic(product, session)
        await traffic.become(personality="plain")
        await traffic.ask(WARM_UP // 2)
        product.kill("observer")
        await traffic.ask(WARM_UP // 2 + 20)
        product.kill("observer")
        await traffic.become(personality="terse")
        await traffic.ask(25)
        first = await wait_raised(product)
        product.kill("observer")
        await traffic.ask(10)
        await asyncio.sleep(1.5)

    events = told(product, "events")
    assert first
    assert [event["kind"] for event in events].count("drift_baseline") == 1
    subjects = [event["details"]["subject"] for event in events if event["kind"] == "drift_raised"]
    assert len(subjects) == len(set(subjects))


async def test_accepted_it_learns_anew(product: Product) -> None:
    async with aiohttp.ClientSession() as session:
        traffic = Traffic(product, session)
        await traffic.become(personality="plain")
        await traffic.ask(WARM_UP)
        await traffic.become(personality="terse")
        await traffic.ask(25)
        [event, *_] = await wait_raised(product)

        drift(product, "accept", str(event["event_id"]))
        await asyncio.sleep(1.5)
        await traffic.ask(WARM_UP + 40)
        await asyncio.sleep(1.5)

    [now] = told(product, "status")
    assert (now["state"], now["baseline"]) == ("calm", 2)
