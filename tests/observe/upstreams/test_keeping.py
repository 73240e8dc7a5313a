"""From the stand-in to the ledger: each change is one event, and calls carry what answered them, over restarts too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from proxy.core.config import Config, Observer
from proxy.core.errors import LedgerBusy
from proxy.core.event import Event
from proxy.observe.guards import Guards
from proxy.observe.observing import Observing
from proxy.observe.upstreams import keeping
from proxy.observe.upstreams.keeping import ChangeCounts, Keeper
from proxy.observe.upstreams.watcher import Watcher
from proxy.standin.server import StandIn
from proxy.standin.settings import Settings
from proxy.store import Ledger, UpstreamChanges, open_ledger, open_reader
from tests.observe.journals import FakeRelay
from tests.observe.pipelines import Remembering
from tests.observe.upstreams.servers import FakeOllama, entry, running, serving, until, upstream, watching

REQUEST = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'


class Observed:
    """A watcher, an observing thread and what it kept."""

    def __init__(self, data: Path, watcher: Watcher) -> None:
        config = Config(data=str(data), observer=Observer(linger_s=0.02))
        self.log = Remembering()
        self.observing = Observing(
            config, (self.log,), Guards(), watcher.kind, watcher=watcher, price_file=lambda: None
        )
        self.watcher = watcher


@asynccontextmanager
async def observing(data: Path, port: int, *, models_s: float = 0.1) -> AsyncIterator[Observed]:
    async with watching(upstream(port), every_s=0.1, models_s=models_s) as watcher:
        made = Observed(data, watcher)
        made.observing.start()
        await until(lambda: made.observing.state.caught_up)
        yield made
        made.observing.stop()
        await asyncio.to_thread(made.observing.wait)
        assert made.observing.guards.errors["upstreams"] == 0


def events(data: Path, model: str | None = "chat:latest") -> list[tuple[object, ...]]:
    with open_reader(data) as reader:
        found = reader.events(last=1000)
    return [(event.kind, event.model) for event in found if event.model == model]


def digests(data: Path) -> dict[str, str | None]:
    with open_reader(data) as reader:
        return {stored.record.call_id: stored.record.model_digest for stored in reader.last_calls(1000)}


def tell(relay: FakeRelay, *call_ids: str) -> None:
    for call_id in call_ids:
        relay.call(call_id, request=REQUEST, model="chat")


async def test_weights_that_change_in_mid_traffic(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    relay = FakeRelay(tmp_path)
    async with StandIn() as stand_in, observing(tmp_path, stand_in.port) as one:
        digest = _digest_now(one)
        before = digest()
        tell(relay, "a1", "a2")
        await until(lambda: len(digests(tmp_path)) == 2)
        stand_in.settings = Settings(weights="others")
        await until(lambda: digest() != before)
        after = digest()
        tell(relay, "b1", "b2")
        await until(lambda: len(digests(tmp_path)) == 4)
        await until(lambda: one.observing.changes.told["default", "digest"])
        await asyncio.sleep(0.3)  # nothing is told twice
        told = dict(one.observing.changes.told)
    relay.die()

    assert digests(tmp_path) == {"a1": before, "a2": before, "b1": after, "b2": after}
    assert events(tmp_path) == [("digest", "chat:latest")]
    with open_reader(tmp_path) as reader:
        event = next(event for event in reader.events(last=100) if event.model == "chat:latest")
    assert (event.before, event.after, event.details["parameter_size"]) == (before, after, "493K")
    assert told["default", "digest"] == len(one.watcher.models()["default"].installed or {})
    lines = [record for record in caplog.records if record.message == "upstream_changed"]
    assert {line.kind for line in lines} == {"digest"}
    assert len(lines) == told["default", "digest"]
    assert {line.levelno for line in lines} == {logging.WARNING}


def _digest_now(one: Observed) -> Callable[[], str | None]:
    return lambda: (one.watcher.models()["default"].installed or {})["chat:latest"].digest


async def test_a_template_is_told_beside_the_digest(tmp_path: Path) -> None:
    async with StandIn() as stand_in, observing(tmp_path, stand_in.port):
        await until(lambda: _known(tmp_path, "chat:latest"))
        stand_in.settings = Settings(template="{{ .Prompt }}")
        await until(lambda: len(events(tmp_path)) == 2)
        await asyncio.sleep(0.3)

    assert sorted(events(tmp_path), key=str) == [("digest", "chat:latest"), ("template", "chat:latest")]


async def test_a_version_is_told(tmp_path: Path) -> None:
    async with StandIn() as stand_in, observing(tmp_path, stand_in.port):
        await until(lambda: _known(tmp_path, "chat:latest"))
        stand_in.settings = Settings(version="0.99.0")
        await until(lambda: events(tmp_path, None))
        await asyncio.sleep(0.3)

    with open_reader(tmp_path) as reader:
        (event,) = reader.events(last=10)
    assert (event.kind, event.before, event.after) == ("version", "0.33.0-rc2", "0.99.0")
    assert event.details == {"server": "ollama"}


async def test_a_restart_tells_nothing_twice_and_notices_what_happened_meanwhile(tmp_path: Path) -> None:
    async with StandIn() as stand_in:
        async with observing(tmp_path, stand_in.port) as first:
            before = _digest_now(first)()
            await until(lambda: _known(tmp_path, "chat:latest"))
        async with observing(tmp_path, stand_in.port):
            await asyncio.sleep(0.2)
        unchanged = events(tmp_path)
        stand_in.settings = Settings(weights="others")  # while nobody looks
        async with observing(tmp_path, stand_in.port) as third:
            await until(lambda: events(tmp_path))
            told = dict(third.observing.changes.told)
        async with observing(tmp_path, stand_in.port) as fourth:
            after = _digest_now(fourth)()
            await asyncio.sleep(0.2)
            told_again = dict(fourth.observing.changes.told)

    assert unchanged == []
    assert events(tmp_path) == [("digest", "chat:latest")]
    assert (before == after, told["default", "digest"] > 0) == (False, True)
    assert set(told_again.values()) == {0}  # counters begin anew, at 0 for every kind


async def test_calls_of_the_time_when_the_observer_was_away(tmp_path: Path) -> None:
    """Read later: those from before the change have the old digest, those from after it the new one."""
    server = FakeOllama()
    relay = FakeRelay(tmp_path)
    async with serving(server) as port:
        async with observing(tmp_path, port):
            await until(lambda: _known(tmp_path, "chat:latest"))
        tell(relay, "same")
        async with observing(tmp_path, port):
            await until(lambda: "same" in digests(tmp_path))
        tell(relay, "before")
        await asyncio.sleep(0.05)
        changed = datetime.now(UTC).isoformat()
        server.models = [entry("chat:latest", "b" * 64, modified_at=changed)]
        await asyncio.sleep(0.05)
        tell(relay, "after")
        async with observing(tmp_path, port):
            await until(lambda: len(digests(tmp_path)) == 3)
    relay.die()

    assert digests(tmp_path) == {"same": "a" * 64, "before": "a" * 64, "after": "b" * 64}


async def test_calls_between_a_change_and_the_look_that_noticed_it_are_put_right(tmp_path: Path) -> None:
    server = FakeOllama()
    relay = FakeRelay(tmp_path)
    async with serving(server) as port, observing(tmp_path, port) as one:
        await until(lambda: _known(tmp_path, "chat:latest"))
        tell(relay, "before")
        await until(lambda: len(digests(tmp_path)) == 1)
        held, released = asyncio.Event(), asyncio.Event()

        async def hold(request: web.BaseRequest) -> web.StreamResponse:
            held.set()
            await released.wait()
            return web.json_response({"models": server.models})

        server.instead["/api/tags"] = hold  # no look tells of the model as it was once it has changed
        await held.wait()
        now = datetime.now(UTC).isoformat()
        await asyncio.sleep(0.01)
        tell(relay, "unnoticed")
        await until(lambda: len(digests(tmp_path)) == 2)
        as_recorded = digests(tmp_path)["unnoticed"]
        server.models = [entry("chat:latest", "b" * 64, modified_at=now), entry("copy:latest")]
        released.set()
        await until(lambda: one.observing.changes.told["default", "digest"])
    relay.die()

    assert as_recorded == "a" * 64
    assert digests(tmp_path) == {"before": "a" * 64, "unnoticed": "b" * 64}


async def test_a_cold_start_is_noticed(tmp_path: Path) -> None:
    server = FakeOllama()
    relay = FakeRelay(tmp_path)
    async with serving(server) as port, observing(tmp_path, port) as one:
        tell(relay, "cold")
        await until(lambda: len(digests(tmp_path)) == 1)
        server.loaded = [running("chat:latest")]
        await until(lambda: one.watcher.models()["default"].loaded)
        tell(relay, "warm")
        await until(lambda: len(digests(tmp_path)) == 2)
    relay.die()

    with open_reader(tmp_path) as reader:
        calls = {stored.record.call_id: stored.record for stored in reader.last_calls(10)}
    assert (calls["cold"].model_loaded_before, calls["cold"].cold_start) == (False, True)
    assert (calls["warm"].model_loaded_before, calls["warm"].cold_start) == (True, False)
    assert calls["cold"].model_quantization == "Q4_K_M"


class Refusing:
    """A ledger that refuses a few times."""

    def __init__(self, ledger: Ledger, refusals: int) -> None:
        self._ledger, self._refusals = ledger, refusals
        self.known_models, self.known_upstreams = ledger.known_models, ledger.known_upstreams

    def note_changes(self, changes: UpstreamChanges) -> list[Event]:
        if self._refusals:
            self._refusals -= 1
            raise LedgerBusy("locked")
        return self._ledger.note_changes(changes)


async def test_a_ledger_that_is_away_is_tried_again(tmp_path: Path) -> None:
    server, now = FakeOllama(), [0.0]
    async with serving(server) as port, watching(upstream(port), models_s=0.02) as watcher:
        with open_ledger(tmp_path) as ledger:
            counts = ChangeCounts(["default"])
            Keeper(watcher, ledger, counts).turn()
            keeper = Keeper(watcher, Refusing(ledger, 2), counts, clock=lambda: now[0])
            server.models = [entry("chat:latest", "b" * 64)]
            await until(lambda: (watcher.models()["default"].installed or {})["chat:latest"].digest == "b" * 64)
            for _ in range(30):
                keeper.turn()
                now[0] += 1

            assert [event.kind for event in ledger.events(last=9)] == ["digest"]
    assert counts.told["default", "digest"] == 1


async def test_an_upstream_that_changes_without_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "EVENTS_AN_HOUR", 10)
    server, now = FakeOllama(), [0.0]
    async with serving(server) as port, watching(upstream(port), models_s=0.02) as watcher:
        with open_ledger(tmp_path) as ledger:
            counts = ChangeCounts(["default"])
            keeper = Keeper(watcher, ledger, counts, clock=lambda: now[0])
            for number in range(4):
                server.models = [entry(f"m{each}", f"{number}") for each in range(8)]
                await until(lambda n=number: keeper.turn() or _kept(ledger) == str(n))
            within = len(ledger.events(last=1000))
            now[0] += 3601
            server.models = [entry(f"m{each}", "last") for each in range(8)]
            await until(lambda: keeper.turn() or _kept(ledger) == "last")

            assert (within, counts.left_out, len(ledger.events(last=1000))) == (10, 14, 18)


def _kept(ledger: Ledger) -> str | None:
    return next((model.digest for model in ledger.known_models() if model.model == "m0:latest"), None)


def _known(data: Path, model: str) -> bool:
    with open_reader(data) as reader:
        return any(known.model == model and known.template_hash for known in reader.known_models())
