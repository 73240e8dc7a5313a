"""A wall clock that jumps: durations are of the monotonic clock, and no limit is met by it."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.relay.conftest import MakeRelay
from tests.relay.peer import chat, connected
from tests.relay.scripted import Conn, Scripted, chunked


@pytest.mark.parametrize("jump_s", [3600, -3600, 86400 * 400])
async def test_a_jump_in_a_call_changes_no_duration(
    make_relay: MakeRelay, monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    true_time, true_time_ns = time.time, time.time_ns

    async def slow(conn: Conn) -> None:
        while True:
            await conn.request()
            await conn.send(chunked(b"data: {}\n\n", end=False))
            monkeypatch.setattr(time, "time", lambda: true_time() + jump_s)
            monkeypatch.setattr(time, "time_ns", lambda: true_time_ns() + jump_s * 10**9)
            await asyncio.sleep(0.1)
            await conn.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    async with Scripted(slow) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(2):
                assert (await peer.ask(chat(stream=True))).status == 200
        first, second = await rig.ended(2)

    for exchange in (first, second):
        finished = exchange.finished
        assert finished.ending == "complete"
        assert 0.09 <= finished.duration_s < 60  # uvloop counts whole milliseconds from the turn's begin
        assert 0 <= (finished.sent_s or 0) <= (finished.headers_s or 0) <= finished.duration_s
        assert all(0 <= at <= finished.duration_s for at, _ in exchange.pieces)
    assert abs(second.finished.started_unix_ns - first.finished.started_unix_ns - jump_s * 10**9) < 60 * 10**9
