"""Relays for tests, under uvloop as in production."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from proxy.core.config import Config
from proxy.core.upstreams import ResolvedUpstream
from proxy.standin.server import StandIn

from .rig import Rig, upstream

WIRE = Path(__file__).parents[1] / "data" / "wire"

MakeRelay = Callable[..., Awaitable[Rig]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def make_relay(tmp_path: Path) -> AsyncIterator[MakeRelay]:
    """make_relay(port or upstreams, setting=value, ...) starts a relay; several are allowed."""
    rigs: list[Rig] = []

    async def make(where: int | tuple[ResolvedUpstream, ...], **settings: Any) -> Rig:
        config = msgspec.structs.replace(Config(data=str(tmp_path)), **settings)
        upstreams = (upstream(where),) if isinstance(where, int) else where
        rig = Rig(tmp_path / f"journal{len(rigs)}", upstreams, config)
        rigs.append(rig)
        await rig.start()
        return rig

    yield make
    for rig in rigs:
        await rig.stop()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """The stand-in model on an event loop and thread of its own, so that it never waits for the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stand-in")
    thread.start()
    running = StandIn(recordings=WIRE)
    asyncio.run_coroutine_threadsafe(running.start(), loop).result(5)
    yield running
    asyncio.run_coroutine_threadsafe(running.stop(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
async def relay(stand_in: StandIn, make_relay: MakeRelay) -> Rig:
    """A relay before the stand-in."""
    return await make_relay(stand_in.port)
