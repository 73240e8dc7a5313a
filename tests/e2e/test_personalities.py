"""The stand-in model changes in mid-traffic, each model of it in another way, before one whole Sightglass.

Each must give its event, metric, log line, span and place in `drift status`, health and page within the promised
answers.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from bench.product import Product
from tests.collector import Collector, http_collector, values
from tests.e2e.conftest import running
from tests.e2e.test_drift import TOPICS, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WARM_UP = 200
ROUTE = "/v1/chat/completions"


class Change(NamedTuple):
    """What one model becomes, and how it must be told."""

    model: str
    before: str  # wishes of its calls
    after: str
    answers: int  # within so many it is told
    subject: str


CHANGES = (
    Change("llama3.2", "personality=plain", "personality=foreign", 20, "share:language"),
    Change("llama3.2:1b", "personality=plain", "personality=terse", 40, "output"),
    Change("think", "personality=plain", "personality=looping", 20, "share:loop"),
    Change("chat", "personality=plain;first_token_s=0.02", "personality=plain;first_token_s=0.3", 120, "latency"),
)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with http_collector() as made:
        yield made


@pytest.fixture
def product(tmp_path: Path, collector: Collector) -> Iterator[Product]:
    env = {"SIGHTGLASS_DRIFT__WARM_UP_ANSWERS": str(WARM_UP), "OTEL_BSP_SCHEDULE_DELAY": "50"}
    yield from running(Product(tmp_path, env={**env, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}))


class Asking:
    """Calls of one model, a few at once; their prompts differ."""

    def __init__(self, session: aiohttp.ClientSession, model: str) -> None:
        self._session, self._model, self.asked = session, model, 0
        self._gate = asyncio.Semaphore(3)

    async def ask(self, count: int, wish: str) -> None:
        await asyncio.gather(*(self._one(self.asked + at, wish) for at in range(count)))
        self.asked += count

    async def _one(self, number: int, wish: str) -> None:
        prompt = f"Tell me of {TOPICS[number % 7]} and of the number {number * 7919 % 100_003}, please"
        body = {"model": self._model, "messages": [{"role": "user", "content": prompt}]}
        async with self._gate, self._session.post(ROUTE, json=body, headers={"x-stand-in": wish}) as answer:
            assert answer.status == 200
            await answer.read()


def status(product: Product) -> dict[str, dict[str, Any]]:
    return {lane["model"]: lane for lane in told(product, "status")}


async def until_told(product: Product, asking: Asking, change: Change) -> None:
    """Ask until it is told, for no more than the promised answers."""
    for _ in range(0, change.answers, 20):
        await asking.ask(20, change.after)
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            if change.subject in status(product)[change.model]["alarms"]:
                return
            await asyncio.sleep(0.2)
    await asyncio.sleep(5.0)  # of a machine that is slow now
    assert change.subject in status(product)[change.model]["alarms"], change.model


async def test_each_change_is_told_everywhere_within_the_promised_answers(
    product: Product, collector: Collector
) -> None:
    async with aiohttp.ClientSession(product.url) as session:
        asking = {change.model: Asking(session, change.model) for change in CHANGES}
        for change in CHANGES:  # one after the other: the load of one is no slowness of another
            await asking[change.model].ask(WARM_UP + 20, change.before)
        product.wait_rows(len(CHANGES) * (WARM_UP + 20), timeout_s=30)
        await asyncio.sleep(0.5)
        calm = status(product)

        for change in CHANGES:
            await until_told(product, asking[change.model], change)

    async with aiohttp.ClientSession(product.console_url) as console:
        metrics = await (await console.get("/metrics")).text()
        health = await (await console.get("/health")).json()
        page = await (await console.get("/")).text()

    assert {lane["state"] for lane in calm.values()} == {"calm"}
    events = [event for event in told(product, "events", "--last", "1000") if event["kind"] == "drift_raised"]
    logged = [
        json.loads(line)
        for line in (product.folder / "sightglass.log").read_text().splitlines()
        if "drift_raised" in line
    ]
    alarms = {(alarm["model"], alarm["subject"]) for alarm in health["drift"]["alarms"]}
    spanned = raised_spans(collector)
    for change in CHANGES:
        lane = status(product)[change.model]
        assert lane["state"] == "alarmed"
        assert lane["alarms"][change.subject] in {event["event_id"] for event in events}
        assert (change.model, change.subject) in {(line["model"], line["drift_subject"]) for line in logged}
        assert re.search(rf'sightglass_drift_state\{{digest="\w+",model="{change.model}",route="{ROUTE}"\}} 2', metrics)
        assert (change.model, change.subject) in alarms
        assert lane["alarms"][change.subject] in spanned
        assert f"event {lane['alarms'][change.subject]}: {change.subject}" in page
    assert (health["status"], health["drift"]["status"]) == ("degraded", "degraded")
    assert health["drift"]["lanes"] == {"learning": 0, "calm": 0, "alarmed": len(CHANGES)}

    product.kill("observer")
    again = await health_once_observing(product)
    assert {(alarm["model"], alarm["subject"]) for alarm in again["drift"]["alarms"]} == alarms


def raised_spans(collector: Collector) -> set[int]:
    """Ids of the events that are in a trace, each below a span of a call."""
    spans = collector.wait_spans(1)
    known = {span.span_id for span in spans}
    raised = [span for span in spans if span.name == "drift_raised"]
    assert all(span.parent_span_id in known for span in raised)
    return {values(event.attributes)["sightglass.drift.event_id"] for span in raised for event in span.events}


async def health_once_observing(product: Product) -> dict[str, Any]:
    """Of the observer that was started last, when it has opened the ledger."""
    async with asyncio.timeout(20), aiohttp.ClientSession(product.console_url) as console:
        while True:
            with suppress(aiohttp.ClientError):
                report: dict[str, Any] = await (await console.get("/health")).json()
                if report["observer"]["caught_up"]:
                    return report
            await asyncio.sleep(0.1)
