"""What the probe finds, on real sockets, and that it asks nothing that costs."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web

from proxy.core.config import UpstreamKind
from proxy.observe.upstreams import asking
from proxy.observe.upstreams.looking import look
from tests.observe.upstreams.servers import Answer, serving, until, upstream, watching


async def ollama(request: web.BaseRequest) -> web.Response:
    if request.path == "/api/version":
        return web.json_response({"version": "0.32.3"})
    return web.Response(status=404, text="404 page not found")


async def litellm(request: web.BaseRequest) -> web.Response:
    if request.path == "/health/liveliness":
        return web.json_response("I'm alive!", headers={"x-litellm-version": "1.80.0"})
    return web.json_response({"detail": "Not Found"}, status=404)


async def openai(_request: web.BaseRequest) -> web.Response:
    return web.json_response({"error": {"message": "no such path"}}, status=404)


async def gateway(_request: web.BaseRequest) -> web.Response:
    return web.Response(status=502, text="Bad Gateway")


async def redirecting(_request: web.BaseRequest) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://192.0.2.1/elsewhere"})


@pytest.mark.parametrize(
    ("answer", "kind", "found", "version", "up"),
    [
        (ollama, "auto", "ollama", "0.32.3", True),
        (ollama, "ollama", "ollama", "0.32.3", True),
        (litellm, "auto", "litellm", "1.80.0", True),
        (litellm, "litellm", "litellm", "1.80.0", True),
        (openai, "auto", "auto", None, True),
        (openai, "openai", "openai", None, True),
        (gateway, "auto", "auto", None, False),
        (redirecting, "auto", "auto", None, True),
    ],
)
async def test_what_answers(answer: Answer, kind: UpstreamKind, found: str, version: str | None, up: bool) -> None:
    async with serving(answer) as port, ClientSession() as session:
        seen = await look(session, upstream(port, kind))

    assert (seen.kind, seen.version, seen.up) == (found, version, up)


async def test_it_asks_free_paths_and_sends_no_key() -> None:
    asked: list[tuple[str, str, bool]] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append((request.method, request.path, "Authorization" in request.headers))
        return web.Response(status=404)

    async with serving(answer) as port, ClientSession() as session:
        await look(session, upstream(port))

    assert asked == [("GET", "/api/version", False), ("GET", "/health/liveliness", False)]


async def test_going_down_and_coming_back(unused_tcp_port: int) -> None:
    async with watching(upstream(unused_tcp_port), every_s=0.02) as watcher:
        down = watcher.seen()["default"]
        runner = web.ServerRunner(web.Server(ollama), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
        await until(lambda: watcher.seen()["default"].up)
        kind_up = watcher.kind("default")
        await runner.cleanup()
        await until(lambda: not watcher.seen()["default"].up)

    assert (down.up, down.kind, down.error) == (False, "auto", "Connection refused")
    assert kind_up == watcher.kind("default") == "ollama"
    assert watcher.kind("another") is None


async def test_a_mute_upstream_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TIMEOUT_S", 0.1)

    async def mute(_request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with serving(mute) as port, watching(upstream(port)) as watcher:
        assert watcher.seen()["default"].up is False
        assert "no answer" in (watcher.seen()["default"].error or "")


async def test_a_long_page_at_a_health_path_is_an_answer() -> None:
    async def page(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=404, body=b"x" * 1_000_000)

    async with serving(page) as port, asking.open_session() as session:
        seen = await look(session, upstream(port))

    assert seen.up
