"""The control paths and headers: telling, asking, forgetting."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

import pytest

from proxy.standin.server import StandIn

from .peer import ask, body_of, chat, get, post


async def told(stand_in: StandIn, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(body_of(await ask(stand_in, post("/stand-in/set", changes))))
    return answer


async def stats(stand_in: StandIn) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(body_of(await ask(stand_in, get("/stand-in/stats"))))
    return answer


async def test_what_is_set_holds_until_reset(stand_in: StandIn) -> None:
    now = await told(stand_in, text="One two three.", style="old", fault={"kind": "status", "value": 503})
    refused = await ask(stand_in, chat())
    await told(stand_in, fault=None)
    said = await ask(stand_in, chat())
    await ask(stand_in, post("/stand-in/reset", {}))
    after = await ask(stand_in, chat())

    assert (now["style"], now["fault"]) == ("old", "status:503")
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b'"content":"One two three."' in said
    assert b'"content":"Hello there.' in after
    assert stand_in.stats.requests == 1


async def test_a_header_changes_one_call_only(stand_in: StandIn) -> None:
    await told(stand_in, tokens=2)
    mine = await ask(stand_in, chat(stand_in="tokens=3; prompt_tokens=7"))
    other = await ask(stand_in, chat())

    assert b'"usage":{"prompt_tokens":7,"completion_tokens":4,"total_tokens":11}' in mine
    assert b'"usage":{"prompt_tokens":23,"completion_tokens":3,"total_tokens":26}' in other


@pytest.mark.parametrize("wrong", [{"colour": 1}, {"load_s": "soon"}, {"fault": "nothing"}, {"personality": "x"}])
async def test_a_wrong_setting_is_refused_and_changes_nothing(stand_in: StandIn, wrong: dict[str, Any]) -> None:
    before = stand_in.settings
    answer = await ask(stand_in, post("/stand-in/set", wrong))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"error":' in answer
    assert before == stand_in.settings


async def test_stats_tell_what_was_asked(stand_in: StandIn) -> None:
    request = chat(stream=True)
    await ask(stand_in, request)
    await ask(stand_in, get("/v1/models?x=1"))
    await ask(stand_in, get("/nothing"))
    await ask(stand_in, request)
    said = await stats(stand_in)

    assert (said["requests"], said["completed"], said["cancelled"], said["active"]) == (4, 4, 0, 0)
    assert said["by_path"] == {"/v1/chat/completions": 2, "/v1/models": 1, "/nothing": 1}
    assert said["by_status"] == {"200": 3, "404": 1}
    assert said["tokens"] == 38
    body = request.partition(b"\r\n\r\n")[2]
    last = said["last_request"]
    assert (last["method"], last["target"], last["whole"]) == ("POST", "/v1/chat/completions", True)
    assert last["headers"][0] == ["Host", "localhost"]
    assert (len(body), hashlib.sha256(body).hexdigest()) == (last["body_bytes"], last["body_sha256"])


async def test_control_paths_work_for_any_host(stand_in: StandIn) -> None:
    answer = await ask(stand_in, get("/stand-in/stats").replace(b"localhost", b"example.com"))

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_lists_of_faults_and_recordings(stand_in: StandIn) -> None:
    faults = json.loads(body_of(await ask(stand_in, get("/stand-in/faults"))))
    recordings = json.loads(body_of(await ask(stand_in, get("/stand-in/recordings"))))

    assert faults["mute"] == "no byte ever"
    assert len(recordings) == 329
    assert (await ask(stand_in, get("/stand-in/what"))).startswith(b"HTTP/1.1 404 ")


async def test_answers_are_compressed_only_if_told_and_wished(stand_in: StandIn) -> None:
    wished = ("Accept-Encoding: gzip, br", "x-stand-in: gzip=true")
    packed = await ask(stand_in, get("/api/version", *wished))
    plain = await ask(stand_in, get("/api/version", wished[1]))

    assert b"\r\nContent-Encoding: gzip\r\n" in packed
    assert body_of(plain) == gzip.decompress(body_of(packed))


async def test_a_cloud_model_asks_for_an_account_in_the_native_shape(stand_in: StandIn) -> None:
    answer = await ask(stand_in, chat("gpt-oss:120b-cloud"))

    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b'{"error":"unauthorized","signin_url":"' in answer
