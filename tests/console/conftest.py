"""A console before a running observer, on a real socket, with a relay's journal to write to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from proxy.console.app import Console
from proxy.console.exposition import Exposition
from proxy.console.health import Health
from proxy.core.config import Config, Observer, Price
from proxy.core.otel import Telemetry
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.call_log import CallLog
from proxy.observe.exports import Exports
from proxy.observe.guards import Guards
from proxy.observe.log.outputs import LogOutputs
from proxy.observe.metrics import Metrics
from proxy.observe.observing import Observing
from proxy.observe.scrape import Scrape
from proxy.observe.upstreams.watcher import Watcher
from tests.observe.journals import FakeRelay

UPSTREAM = ResolvedUpstream(
    name="default",
    scheme="http",
    host="127.0.0.1",
    port=11434,
    key="sk-secret",
    connect_s=1,
    first_byte_s=1,
    between_bytes_s=1,
)


class Stage:
    """All the parts, for tests to pull at."""

    def __init__(self, data: Path) -> None:
        self.config = Config(
            data=str(data),
            observer=Observer(linger_s=0.02),
            prices={"llama3.2": Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)},
        )
        self.relay = FakeRelay(data)
        self.watcher = Watcher([UPSTREAM], every_s=60)
        self.metrics = Metrics(["default"])
        outputs = LogOutputs(self.config.log, fd=-1)
        log = CallLog(self.config.log, outputs)
        self.observing = Observing(
            self.config,
            (self.metrics, log),
            Guards(),
            self.watcher.kind,
            watcher=self.watcher,
            price_file=lambda: None,
        )
        exports = Exports(Telemetry(), self.config.otel, [UPSTREAM], self.watcher.kind, Guards())
        Scrape(self.metrics, self.observing, self.watcher, outputs, exports, data)
        self.health = Health(self.config, [UPSTREAM], self.observing, self.watcher, self.metrics.last_success)
        self.console = Console(self.config, self.health, Exposition(self.metrics))

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for the observer's thread."""
        async with asyncio.timeout(30):
            while not true():
                await asyncio.sleep(0.01)

    async def calls(self, *call_ids: str, **fields: Any) -> None:
        """Record these calls."""
        before = self.observing.state.ledger_calls
        for call_id in call_ids:
            self.relay.call(call_id, **fields)
        await self.until(lambda: self.observing.state.ledger_calls == before + len(call_ids))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(tmp_path)
    made.observing.start()
    await made.until(lambda: made.observing.state.caught_up)
    yield made
    made.observing.stop()
    made.observing.wait()
    await made.console.close()
    made.relay.die()


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(stage.console.app())) as made:
        yield made
