"""Every recording comes out again as it went in."""

from __future__ import annotations

import asyncio
import time

import pytest

from proxy.standin import replay
from proxy.standin.server import StandIn

from .peer import WIRE, Peer, get, peer, post, request_of, response_of, until

ALL = replay.names(WIRE)


def replaying(name: str, speed: str = "0") -> bytes:
    """The recorded request, asking for its own answer."""
    head, _, rest = request_of(name).partition(b"\r\n")
    return head + f"\r\nx-stand-in-replay: {name}\r\nx-stand-in-speed: {speed}\r\n".encode() + rest


async def exactly(one: Peer, length: int) -> bytes:
    async with asyncio.timeout(10):
        return await one.reader.readexactly(length)


def test_all_329_exchanges_are_there() -> None:
    assert len(ALL) == 329


async def test_each_of_the_329_comes_back_byte_for_byte_and_ends_as_it_ended(stand_in: StandIn) -> None:
    for name in ALL:
        recording = replay.load(WIRE, name)
        async with peer(stand_in) as one:
            one.send(replaying(name))

            assert (name, recording.response) == (name, await exactly(one, len(recording.response)))
            if recording.end == "closed by server":
                assert (name, b"") == (name, await one.some())
            elif recording.end == "client left":
                assert await one.silent(0.02), name
            else:
                one.send(get("/api/version"))  # the connection was kept
                assert b'{"version":' in await one.answer(), name


@pytest.mark.parametrize("name", ["ollama-0.33/chat-slow-stream-usage", "ollama-0.33/native-chat-stream"])
async def test_pauses_are_as_recorded_divided_by_the_speed(stand_in: StandIn, name: str) -> None:
    recording, speed = replay.load(WIRE, name), 10
    arrived: list[tuple[float, int]] = []
    async with peer(stand_in) as one:
        one.send(replaying(name, str(speed)))
        began, got = time.monotonic(), 0
        while got < len(recording.response):
            got += len(await one.some())
            arrived.append((time.monotonic() - began, got))

    total = 0
    for seconds, size in recording.reads:
        total += size
        seen = next(at for at, had in arrived if had >= total)
        assert seen == pytest.approx(seconds / speed, abs=10)
        assert seen >= seconds / speed - 0.002


async def test_a_kill_before_any_byte_keeps_its_time(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        began = time.monotonic()
        one.send(replaying("ollama-0.33/killed-server-chat-plain", "2"))

        assert await one.some() == b""
        assert time.monotonic() - began > 0.14


async def test_a_client_that_leaves_a_replay_is_counted(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(replaying("ollama-0.33/left-chat-plain"))
        await until(stand_in, "active")
    await until(stand_in, "cancelled")

    assert stand_in.stats.left[0].phase == "replay"


async def test_the_path_may_ask_for_a_recording_too(stand_in: StandIn) -> None:
    name = "ollama-0.24/chat-stream"
    async with peer(stand_in) as one:
        one.send(post(f"/stand-in/replay/{name}/v1/chat/completions", {}, "x-stand-in-speed: 0"))

        assert response_of(name) == await exactly(one, len(response_of(name)))


async def test_an_unknown_recording_is_an_error_that_says_so(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(get("/", "x-stand-in-replay: ollama-0.33/nothing"))

        assert b"no recording" in await one.answer()


@pytest.mark.parametrize("name", ["../peer/x", "a", "a/b/c", "a/..", "/etc/passwd"])
def test_no_path_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(ValueError, match="no recording"):
        replay.load(WIRE, name)
