"""A client that leaves is noticed at once, in whatever the stand-in is doing, and the work stops."""

from __future__ import annotations

import asyncio

import pytest

from proxy.standin.server import StandIn

from .peer import chat, peer, post, until


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("settings", "phase"),
    [
        ("load_s=30", "load"),
        ("first_token_s=30", "first_token"),
        ("fault=mute", "mute"),
        ("token_s=0.01;tokens=5000", "stream"),
    ],
)
async def test_leaving_is_noticed_in_every_phase(
    stand_in: StandIn, settings: str, phase: str, stream: bool, how: str
) -> None:
    async with peer(stand_in) as one:
        one.send(chat("loop", stand_in=settings, stream=stream))
        await until(stand_in, "active")
        await asyncio.sleep(0.05)
        if how == "reset":
            one.reset()
        elif how == "half-close":
            one.writer.write_eof()
        else:
            await one.close()
        await until(stand_in, "cancelled")

    assert stand_in.stats.active == 0
    left = stand_in.stats.left[0]
    assert ("answer" if phase == "stream" and not stream else phase) == left.phase
    assert ("/v1/chat/completions", None if phase == "mute" else "loop") == (left.path, left.model)
    assert (left.tokens > 0) == (phase == "stream")


async def test_leaving_the_queue_gives_the_place_to_the_next(stand_in: StandIn) -> None:
    one_slot = "parallel=1"
    async with peer(stand_in) as first, peer(stand_in) as second, peer(stand_in) as third:
        first.send(chat("loop", stand_in=f"{one_slot};token_s=0.02;tokens=10", stream=True))
        await first.some()
        second.send(chat("loop", stand_in=one_slot, max_tokens=3))
        await asyncio.sleep(0.02)
        third.send(chat("loop", stand_in=one_slot, max_tokens=3))
        await asyncio.sleep(0.02)
        await second.close()
        await until(stand_in, "cancelled")

        assert b"200 OK" in await third.answer()
    assert stand_in.stats.left[0].phase == "queue"


async def test_leaving_an_upload_is_noticed(stand_in: StandIn) -> None:
    head = b"POST /api/blobs/sha256:" + b"0" * 64 + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    async with peer(stand_in) as one:
        one.send(head + b"a" * 300_000)
        await until(stand_in, "active")
    await until(stand_in, "cancelled")

    assert stand_in.stats.left[0].phase == "upload"
    assert stand_in.stats.last_request
    assert 0 < stand_in.stats.last_request.body_bytes <= 300_000
    assert not stand_in.stats.last_request.whole


async def test_a_client_that_reads_nothing_stops_the_work_and_may_leave(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(chat("loop", stand_in="fault=big:50000000", stream=True))
        await until(stand_in, "active")
        await asyncio.sleep(0.2)
        tokens = stand_in.stats.tokens
    await until(stand_in, "cancelled")

    assert tokens == 0
    assert stand_in.stats.left[0].tokens < 20_000


async def test_leaving_between_calls_is_no_cancelled_call(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(chat())
        await one.answer()
    await until(stand_in, "connections", 0)

    assert (stand_in.stats.requests, stand_in.stats.completed, stand_in.stats.cancelled) == (1, 1, 0)


async def test_a_body_that_breaks_off_never_reaches_a_model(stand_in: StandIn) -> None:
    whole = post("/v1/chat/completions", {"model": "chat", "messages": [{"role": "user", "content": "hello"}]})
    async with peer(stand_in) as one:
        one.send(whole[:-5])
        await until(stand_in, "active")
        one.reset()
        await until(stand_in, "cancelled")

    assert (stand_in.stats.left[0].phase, stand_in.stats.left[0].model) == ("upload", None)
