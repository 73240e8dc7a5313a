"""Calls leave nothing behind: no cycles for the collector, no descriptors, no tasks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from pathlib import Path

import pytest

from proxy.journal.counters import Counter
from proxy.standin.server import StandIn

from .conftest import MakeRelay
from .peer import BrokenAnswerError, Peer, chat, connected, post, request
from .rig import Rig
from .scripted import OK, Conn, Scripted, chunked

CALLS = 200
KINDS = {
    "plain": chat(),
    "stream": chat(stream=True),
    "upload": request("PUT", "/x", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    "refused": request("GET", "/x#"),
    "broken": chat("x-fault: 1"),
    "large": post("/x", b"x" * 100_000),
}


async def upstream(conn: Conn) -> None:
    while True:
        seen = await conn.request()
        if seen.values(b"x-fault"):
            await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            return
        await conn.send(chunked(b"data: {}\n\n", b"data: [DONE]\n\n") if b'"stream"' in seen.body else OK)


async def one(peer: Peer, raw: bytes) -> None:
    with contextlib.suppress(BrokenAnswerError):
        await peer.ask(raw)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_leaves_no_cycles(make_relay: MakeRelay, kind: str) -> None:
    keeps = kind in ("plain", "stream", "upload", "large")
    async with Scripted(upstream) as server:
        rig = await make_relay(server.port)

        async def calls(count: int) -> None:
            if keeps:
                async with connected(rig.port) as peer:
                    for _ in range(count):
                        await one(peer, KINDS[kind])
                return
            for _ in range(count):
                async with connected(rig.port) as peer:
                    await one(peer, KINDS[kind])

        await calls(20)
        gc.collect()
        gc.disable()
        try:
            await calls(CALLS)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            ours = [found for found in gc.garbage if type(found).__module__.startswith("proxy.")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    assert len(ours) <= 2, [type(found).__name__ for found in ours][:20]


async def test_no_descriptor_and_no_task_stays(stand_in: StandIn, relay: Rig) -> None:
    def open_files() -> int:
        return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))

    async def mixed() -> None:
        async with connected(relay.port) as peer:
            await peer.ask(chat())
            await peer.ask(chat(stream=True))
        async with connected(relay.port) as peer:
            peer.send(chat("x-stand-in: fault=mute"))
            await relay.until(lambda: stand_in.stats.active == 1)
            peer.leave()
        async with connected(relay.port) as peer:
            await one(peer, chat("x-stand-in: fault=reset-mid-stream", stream=True))
        await relay.until(lambda: relay.count(Counter.CLIENTS) == 0 and stand_in.stats.active == 0)

    await mixed()
    before, tasks = open_files(), len(asyncio.all_tasks())
    for _ in range(20):
        await mixed()

    assert (before, tasks) == (open_files(), len(asyncio.all_tasks()))
