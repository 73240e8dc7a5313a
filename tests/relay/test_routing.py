"""Calls go to the first upstream whose patterns match their model, with its key and its Host."""

from __future__ import annotations

import pytest

from proxy.relay.routing import Routing

from .conftest import MakeRelay
from .peer import ask, chat, post, request
from .rig import upstream
from .scripted import OK, Scripted, answers

UPSTREAMS = (
    upstream(1, name="gpt", models=("gpt-*", "o?")),
    upstream(2, name="all-gpt", models=("*gpt*",)),
    upstream(3),
)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4", "gpt"), ("gpt-", "gpt"), ("o1", "gpt"), ("o10", "default"), ("my-gpt-4", "all-gpt"),
        ("GPT-4", "default"), ("gpt-4\n", "gpt"), ("", "default"), (None, "default"), ("a.gpt", "all-gpt"),
    ],
)  # fmt: skip
def test_the_first_pattern_that_matches_takes_the_model(model: str | None, name: str) -> None:
    assert name == Routing(UPSTREAMS).upstream_for(model).name


async def test_calls_reach_their_upstreams(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as first, Scripted(answers(OK)) as second:
        rig = await make_relay(
            (
                upstream(first.port, name="a", models=("llama*",), key="key-a", kind="openai"),
                upstream(second.port, kind="ollama"),
            )
        )
        await ask(rig.port, chat("Authorization: Bearer mine", model="llama3:8b"))
        await ask(rig.port, chat("Authorization: Bearer mine", model="qwen"))
        await ask(rig.port, post("/api/chat", {"x": "y" * 600_000, "model": "llama"}))
        await ask(rig.port, request("GET", "/v1/models"))
        exchanges = await rig.ended(4)

    assert [(exchange.finished.upstream, exchange.finished.upstream_kind) for exchange in exchanges] == [
        ("a", "openai"),
        ("default", "ollama"),
        ("a", "openai"),
        ("default", "ollama"),
    ]
    assert first.seen[0].values(b"authorization") == [b"Bearer key-a"]
    assert second.seen[0].values(b"authorization") == [b"Bearer mine"]
    assert [b"127.0.0.1:%d" % first.port] == first.seen[0].values(b"host")


async def test_what_one_upstream_refuses_is_not_held_against_another(make_relay: MakeRelay) -> None:
    refusal = b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno"
    async with Scripted(answers(refusal)) as first, Scripted(answers(OK)) as second:
        rig = await make_relay((upstream(first.port, name="a", models=("a",)), upstream(second.port)))
        await ask(rig.port, chat(model="a", stream=True))
        await ask(rig.port, chat(model="b", stream=True))

    assert b"include_usage" in second.seen[0].body
