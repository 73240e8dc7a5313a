"""Each recorded exchange passes through the relay: the client gets the bytes that the server sent."""

from __future__ import annotations

import re

import pytest

from proxy.standin import replay
from proxy.standin.server import StandIn

from .conftest import WIRE, MakeRelay
from .peer import connected
from .replaying import asked_without_usage, body_of, heads, received, request
from .rig import Rig

ALL = replay.names(WIRE)
_ENDINGS = {"complete": "complete", "closed by server": "upstream_failed", "client left": "client_left"}


def test_all_329_are_there() -> None:
    assert len(ALL) == 329


@pytest.mark.parametrize("folder", ["ollama-0.33", "ollama-0.24", "litellm-1.106"])
async def test_every_recording_passes_unchanged(stand_in: StandIn, make_relay: MakeRelay, folder: str) -> None:
    relay = await make_relay(stand_in.port)
    for number, name in enumerate([name for name in ALL if name.startswith(folder)], 1):
        recording = replay.load(WIRE, name)
        async with connected(relay.port) as peer:
            peer.send(request(recording, answer_of=name))
            answer = await received(peer, recording)
        exchange = await relay.last(number)
        if name.endswith("/host-refused"):
            assert answer is not None
            assert (name, answer.status, answer.error["code"]) == (name, 403, "host_refused")
            continue
        assert (name, exchange.finished.ending) == (name, _ENDINGS[recording.end.partition(",")[0]])
        if not recording.response:
            told = answer and (answer.status, answer.error["code"])
            assert (name, told) == (name, (502, "upstream_closed") if recording.end == "closed by server" else None)
            continue
        assert answer is not None
        expected_head, got_head = heads(recording, answer)
        assert (name, got_head) == (name, expected_head)
        assert (name, answer.body) == (name, body_of(recording))
        assert (name, exchange.answer_body) == (name, body_of(recording))
        assert exchange.finished.injected == asked_without_usage(recording), name


PAIRS = [(name, f"{name}-usage") for name in ALL if f"{name}-usage" in ALL and name.endswith("stream")]


@pytest.mark.parametrize(("without", "asked"), PAIRS)
async def test_a_stream_asked_for_usage_equals_the_one_recorded_without(relay: Rig, without: str, asked: str) -> None:
    plain_one, asked_one = replay.load(WIRE, without), replay.load(WIRE, asked)
    async with connected(relay.port) as peer:
        answer = await peer.ask(request(plain_one, answer_of=asked))

    def plain(raw: bytes) -> bytes:
        raw = re.sub(rb'"id":"[^"]*"', b'"id":"-"', raw)
        return re.sub(rb'"created":\d+', b'"created":0', raw)

    assert plain(answer.body) == plain(body_of(plain_one))
    exchange = await relay.last()
    assert exchange.finished.injected
    assert exchange.answer_body == body_of(asked_one)
    assert exchange.finished.response_bytes == len(answer.body) != len(exchange.answer_body)
