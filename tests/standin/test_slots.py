"""Loading, slots, the silent queue and its end, told by the durations of native answers."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from proxy.standin.server import StandIn
from proxy.standin.settings import changed

from .peer import ask, body_of, chat, get, post


def told(stand_in: StandIn, **changes: Any) -> None:
    stand_in.settings = changed(stand_in.settings, changes)


def native(model: str = "chat", **body: Any) -> bytes:
    return post("/api/generate", {"model": model, "prompt": "hello", "stream": False, **body})


async def last(stand_in: StandIn, request: bytes) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(body_of(await ask(stand_in, request)))
    return parsed


async def test_a_load_happens_once_and_is_told_in_load_duration(stand_in: StandIn) -> None:
    told(stand_in, load_s=1.0)
    first, also = await asyncio.gather(last(stand_in, native()), last(stand_in, native()))
    later = await last(stand_in, native())

    assert first["load_duration"] >= 1.0e9
    assert also["load_duration"] > 0
    assert later["load_duration"] < 0.9e9
    for said in (first, also, later):
        parts = said["load_duration"] + said["prompt_eval_duration"] + said["eval_duration"]
        assert said["total_duration"] >= parts - 5000


async def test_waiting_for_the_slot_is_in_the_total_only(stand_in: StandIn) -> None:
    told(stand_in, parallel=1, token_s=0.01, tokens=20)
    await last(stand_in, native(options={"num_predict": 1}))
    began = time.monotonic()
    one, two = await asyncio.gather(last(stand_in, native()), last(stand_in, native()))
    took = time.monotonic() - began

    first, second = sorted((one, two), key=lambda said: said["total_duration"])
    assert took >= 0.4
    assert second["total_duration"] - first["total_duration"] >= 0.15e9
    assert second["total_duration"] >= 0.38e9
    assert second["load_duration"] < 0.15e9  # CPU only
    assert 0.18e9 <= second["eval_duration"] < second["total_duration"] - 0.15e9


async def test_durations_follow_the_pace(stand_in: StandIn) -> None:
    told(stand_in, first_token_s=0.1, token_s=0.01, tokens=10)
    said = await last(stand_in, native())

    assert 0.1e9 <= said["prompt_eval_duration"] < 20e9
    assert 0.09e9 <= said["eval_duration"] < 20e9
    assert said["eval_count"] == 11


async def test_nothing_is_sent_before_the_first_token(stand_in: StandIn) -> None:
    for header in ("load_s=0.15", "first_token_s=0.15", "token_s=0.15;tokens=1"):
        began = time.monotonic()
        await ask(stand_in, chat(stand_in=header, stream=True))

        assert time.monotonic() - began >= 0.15


async def test_without_a_limit_all_speak_at_once(stand_in: StandIn) -> None:
    told(stand_in, token_s=0.02, tokens=10)
    began = time.monotonic()
    await asyncio.gather(*(last(stand_in, native()) for _ in range(20)))

    assert time.monotonic() - began < 20 * 10 * 0.02 * 0.9  # one after the other


async def test_past_the_queue_the_server_is_busy(stand_in: StandIn) -> None:
    told(stand_in, load_s=0.3, max_queue=2)
    answers = await asyncio.gather(*(ask(stand_in, chat()) for _ in range(5)))

    statuses = sorted(answer[9:12] for answer in answers)
    assert statuses == [b"200", b"200", b"503", b"503", b"503"]
    busy = next(answer for answer in answers if answer[9:12] == b"503")
    assert b"server busy, please try again.  maximum pending requests exceeded" in busy
    assert b"Retry-After" not in busy


async def test_waiting_for_a_slot_has_no_limit_but_one_that_is_asked_for(stand_in: StandIn) -> None:
    told(stand_in, parallel=1, max_queue=1, token_s=0.01, tokens=5)
    await ask(stand_in, chat())
    patient = await asyncio.gather(*(ask(stand_in, chat()) for _ in range(4)))
    told(stand_in, max_waiting=1)
    busy = await asyncio.gather(*(ask(stand_in, chat()) for _ in range(4)))

    assert [answer[9:12] for answer in patient] == [b"200"] * 4
    assert sorted(answer[9:12] for answer in busy) == [b"200", b"200", b"503", b"503"]


async def test_models_wait_for_themselves_only(stand_in: StandIn) -> None:
    told(stand_in, parallel=1, load_s=2.0)
    await asyncio.gather(*(ask(stand_in, chat(model)) for model in ("chat", "think")))
    began = time.monotonic()
    await asyncio.gather(*(ask(stand_in, chat(model)) for model in ("chat", "think")))

    assert time.monotonic() - began < 1.9


async def test_what_is_loaded_shows_and_goes(stand_in: StandIn) -> None:
    async def loaded() -> list[str]:
        listed = json.loads(body_of(await ask(stand_in, get("/api/ps"))))["models"]
        return sorted(each["name"] for each in listed)

    assert await loaded() == []
    await last(stand_in, native())
    await last(stand_in, native("think", prompt=""))
    assert await loaded() == ["chat:latest", "think:latest"]
    assert (await last(stand_in, native("chat", prompt="", keep_alive=0)))["done_reason"] == "unload"
    assert await loaded() == ["think:latest"]
    await last(stand_in, native("think", keep_alive="0s"))
    assert await loaded() == []
    told(stand_in, keep_alive_s=0.05)
    await last(stand_in, native())
    await asyncio.sleep(0.1)
    assert await loaded() == []


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
async def test_a_count_that_is_zero_is_left_out(stand_in: StandIn, path: str) -> None:
    told(stand_in, prompt_tokens=0)
    body = {"model": "chat", "prompt": "a", "messages": [{"role": "user", "content": "a"}], "stream": False}
    said = await last(stand_in, post(path, body))

    assert "prompt_eval_count" not in said
    assert said["eval_count"] == 20
