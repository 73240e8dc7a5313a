"""The watcher before servers on real sockets: what it sees, how gently it asks, and what does not harm it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from aiohttp import web

from proxy.core.call import CallRecord
from proxy.observe.upstreams import asking, watch
from proxy.observe.upstreams.watcher import Watcher
from proxy.standin.server import StandIn
from tests.observe.upstreams.servers import (
    DIGEST_A,
    DIGEST_B,
    FakeOllama,
    entry,
    running,
    serving,
    until,
    upstream,
    watching,
)


def call(model: str | None = "chat", *, ago_s: float = 0.0, **fields: object) -> CallRecord:
    usual: dict[str, object] = {
        "call_id": "a",
        "request_id": "r",
        "started_unix_ns": time.time_ns() - int(ago_s * 1e9),
        "route": "/v1/chat/completions",
        "dialect": "openai_chat",
        "method": "POST",
        "outcome": "ok",
        "model": model,
        "upstream": "default",
        "status": 200,
        "attempts": 1,
        "first_token_s": 0.0,
        "duration_s": 0.0,
    }
    return CallRecord(**{**usual, **fields})  # type: ignore[arg-type]


async def test_it_sees_the_models_of_the_stand_in() -> None:
    async with StandIn() as stand_in, watching(upstream(stand_in.port)) as watcher:
        models = watcher.models()["default"]
        asked = stand_in.stats.by_path

    assert models.installed is not None
    assert set(models.shown) == set(models.installed)
    assert models.installed["llama3.2:1b"].parameter_size == "1.2B"
    assert (models.loaded, models.error) == ({}, None)
    assert {path: count for path, count in asked.items() if path != "/api/show"} == {
        "/api/version": 1,
        "/api/tags": 1,
        "/api/ps": 1,
    }
    assert asked["/api/show"] == len(models.installed) <= watch.SHOWS_A_LOOK
    assert stand_in.slots.loaded() == []


async def test_it_asks_free_paths_only_and_sends_no_secret() -> None:
    server = FakeOllama()
    async with serving(server) as port, watching(upstream(port), every_s=0.02, models_s=0.02):
        await until(lambda: server.asked["GET /api/tags"] > 5)

    assert set(server.asked) == {"GET /api/version", "GET /api/tags", "GET /api/ps", "POST /api/show"}
    assert server.asked["POST /api/show"] == 1
    assert not [head for head in server.heads if "Authorization" in head or "Cookie" in head]
    assert "secret" not in str(server.heads)


async def test_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults, sixty times as fast: a minute of a quiet server is 6 versions and 2 x 2 lists."""
    monkeypatch.setattr(watch, "NUDGE_S", 5 / 60)
    server = FakeOllama()
    async with serving(server) as port, watching(upstream(port), every_s=10 / 60, models_s=30 / 60) as watcher:
        server.asked.clear()
        began = time.monotonic()
        await asyncio.sleep(1)
        quiet, quiet_s = Counter(server.asked), time.monotonic() - began
        server.asked.clear()
        began = time.monotonic()
        for number in range(200):  # each call names another model that is not there
            watcher.stamped(call(f"wrong-{number}"))
            await asyncio.sleep(0.005)
        hammered, hammered_s = Counter(server.asked), time.monotonic() - began

    assert sum(quiet.values()) <= 11 * quiet_s, quiet
    assert hammered["GET /api/tags"] <= 16 * hammered_s, hammered
    assert quiet["POST /api/show"] == hammered["POST /api/show"] == 0


async def test_litellm_is_asked_for_its_free_health_paths_only() -> None:
    asked: Counter[str] = Counter()

    async def litellm(request: web.BaseRequest) -> web.Response:
        asked[f"{request.method} {request.path}"] += 1
        assert "Authorization" not in request.headers
        if request.path == "/health/liveliness":
            return web.json_response("I'm alive!")
        if request.path == "/health/readiness":
            return web.json_response({"status": "healthy", "db": "Not connected", "litellm_version": "1.106.2"})
        return web.json_response({"detail": "Not Found"}, status=404)

    async with serving(litellm) as port, watching(upstream(port), every_s=0.02, models_s=0.02) as watcher:
        await until(lambda: asked["GET /health/readiness"] > 3)
        watcher.stamped(call("ollama/llama3.2", model_answered="x"))
        watcher.stamped(call("ollama/llama3.2", model_answered="y"))
        seen, not_ready = watcher.seen()["default"], watcher.not_ready()
        stamped = watcher.stamped(call("ollama/llama3.2"))

    assert set(asked) == {"GET /api/version", "GET /health/liveliness", "GET /health/readiness"}
    assert (seen.kind, not_ready) == ("litellm", {})
    assert (stamped.model_digest, stamped.cold_start) == (None, None)


async def test_litellm_that_is_not_ready_says_so() -> None:
    async def litellm(request: web.BaseRequest) -> web.Response:
        if request.path == "/health/liveliness":
            return web.json_response("I'm alive!", headers={"x-litellm-version": "1.80.0"})
        return web.json_response({"detail": "db"}, status=503)

    async with serving(litellm) as port, watching(upstream(port, "litellm")) as watcher:
        assert "not ready" in watcher.not_ready()["default"]
        assert watcher.seen()["default"].version == "1.80.0"


async def test_calls_carry_what_answered_them() -> None:
    server = FakeOllama()
    server.loaded = [running("chat:latest")]
    server.models.append(entry("cold:1b", DIGEST_B))
    server.models.append(entry("embed:latest"))
    server.models.append(entry("big:cloud"))
    async with serving(server) as port, watching(upstream(port)) as watcher:
        warm, cold, again = (watcher.stamped(call(model)) for model in ("Chat", "cold:1b", "cold:1b"))
        cloud, unknown, nameless = (watcher.stamped(call(model)) for model in ("big:cloud", "nope", None))
        rejected = watcher.stamped(call("embed", status=400, outcome="rejected"))
        earlier = watcher.stamped(call("chat", ago_s=3600))

    assert (warm.model_digest, warm.model_quantization) == (DIGEST_A, "Q4_K_M")
    assert (warm.model_loaded_before, warm.cold_start) == (True, False)
    assert (cold.model_digest, cold.model_loaded_before, cold.cold_start) == (DIGEST_B, False, True)
    assert (again.model_loaded_before, again.cold_start) == (True, False)
    assert (cloud.model_digest, cloud.model_loaded_before, cloud.cold_start) == (DIGEST_A, None, None)
    assert unknown == call("nope", started_unix_ns=unknown.started_unix_ns)  # nothing was stamped
    assert nameless.model_digest is None
    assert (rejected.model_loaded_before, rejected.cold_start) == (False, None)
    assert (earlier.model_digest, earlier.model_loaded_before) == (None, None)


async def test_an_unknown_model_is_looked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "NUDGE_S", 0.05)
    server = FakeOllama()
    async with serving(server) as port, watching(upstream(port)) as watcher:
        server.models.append(entry("new:latest", DIGEST_B, modified_at="2026-01-01T00:00:00Z"))
        watcher.stamped(call("new"))
        await until(lambda: "new:latest" in (watcher.models()["default"].installed or {}))
        known = watcher.stamped(call("new"))
        tags = server.asked["GET /api/tags"]
        for _ in range(50):
            watcher.stamped(call("never-there"))
            await asyncio.sleep(0.005)

    assert known.model_digest == DIGEST_B
    assert server.asked["GET /api/tags"] - tags <= 10  # and not fifty times


@pytest.mark.parametrize(
    "record",
    [
        call("chat", dialect="other", route="/api/pull"),
        call("chat", load_s=3.0),  # it was loaded, as far as we knew, and had to be loaded: something was exchanged
    ],
)
async def test_what_a_call_shows_makes_it_look_at_once(monkeypatch: pytest.MonkeyPatch, record: CallRecord) -> None:
    monkeypatch.setattr(watch, "NUDGE_S", 0.05)
    server = FakeOllama()
    server.loaded = [running("chat:latest")]
    async with serving(server) as port, watching(upstream(port)) as watcher:
        server.models = [entry("chat:latest", DIGEST_B)]
        shown = call("chat", dialect=record.dialect, route=record.route, load_s=record.load_s)
        watcher.stamped(shown)
        await until(lambda: watcher.stamped(call()).model_digest == DIGEST_B)


async def test_another_version_is_a_reason_to_look_at_the_models_again() -> None:
    server = FakeOllama()
    async with serving(server) as port, watching(upstream(port), every_s=0.02) as watcher:
        server.version = "0.34.0"
        await until(lambda: server.asked["POST /api/show"] == 2)  # templates are the server's too
        assert watcher.seen()["default"].version == "0.34.0"


async def garbage(_request: web.BaseRequest) -> web.Response:
    return web.Response(body=b'{"models":[{"name":7},null,{"name":"\xff', content_type="application/json")


async def ten_megabytes(_request: web.BaseRequest) -> web.Response:
    return web.Response(body=b'{"models":[' + b'{"name":"x"},' * 800_000 + b"{}]}")


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b" " * 1000)
        await asyncio.sleep(0.01)


async def elsewhere(_request: web.BaseRequest) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://192.0.2.1/api/tags"})


async def slow(_request: web.BaseRequest) -> web.Response:
    await asyncio.sleep(60)
    raise AssertionError


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (garbage, "/api/tags: no list of models"),
        (ten_megabytes, "/api/tags: an answer of more than 4,194,304 bytes"),
        (endless, "/api/tags: no answer within"),
        (slow, "/api/tags: no answer within"),
        (elsewhere, "/api/tags: status 302"),
    ],
)
async def test_a_list_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, answer: object, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asking, "LIST_TIMEOUT_S", 0.3)
    server = FakeOllama()
    async with serving(server) as port, watching(upstream(port), models_s=0.05) as watcher:
        server.instead["/api/tags"] = answer  # type: ignore[assignment]
        await until(lambda: watcher.models()["default"].error is not None)
        broken = watcher.models()["default"]
        del server.instead["/api/tags"]
        await until(lambda: watcher.models()["default"].error is None)

    assert (broken.error or "").startswith(said)
    assert set(broken.installed or {}) == {"chat:latest"}  # what it was at the last look that told
    assert not broken.listed
    assert [record.message for record in caplog.records].count("models_not_listed") <= 1


async def test_a_show_that_fails_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LIST_TIMEOUT_S", 0.1)
    server = FakeOllama()
    server.instead["/api/show"] = slow
    async with serving(server) as port, watching(upstream(port), models_s=0.05) as watcher:
        await until(lambda: server.asked["GET /api/tags"] >= 4)
        assert watcher.models()["default"].shown == {}
        assert server.asked["POST /api/show"] == 1  # once; again after ten minutes, if calls use it


async def test_away_nobody_knows_what_is_loaded(unused_tcp_port: int) -> None:
    server = FakeOllama()
    server.loaded = [running("chat:latest")]
    runner = web.ServerRunner(web.Server(server), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    async with watching(upstream(unused_tcp_port), every_s=0.02) as watcher:
        loaded = watcher.models()["default"].loaded
        await runner.cleanup()
        await until(lambda: not watcher.seen()["default"].up)
        away = watcher.models()["default"]

    assert set(loaded or {}) == {"chat:latest"}
    assert (away.loaded, set(away.installed or {})) == (None, {"chat:latest"})


async def test_one_slow_upstream_holds_no_other_up(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeOllama()
    async with serving(server) as good, serving(slow) as bad:
        watcher = Watcher([upstream(bad, name="bad"), upstream(good, name="good")], every_s=0.02, models_s=0.02)
        task = asyncio.get_running_loop().create_task(watcher.run())
        await until(lambda: server.asked["GET /api/tags"] >= 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert set(watcher.seen()) == {"good"}
