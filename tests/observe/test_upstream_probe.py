"""What the probe finds, on real sockets, and that it asks nothing that costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web

from proxy.core.config import UpstreamKind
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe import upstream_probe
from proxy.observe.upstream_probe import Probe, look

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def upstream(port: int, kind: UpstreamKind = "auto") -> ResolvedUpstream:
    return ResolvedUpstream(
        name="default",
        scheme="http",
        host="127.0.0.1",
        port=port,
        kind=kind,
        key="secret",
        connect_s=1,
        first_byte_s=1,
        between_bytes_s=1,
    )


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    """A server on a port of its own."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


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
    probe = Probe([upstream(unused_tcp_port)], every_s=0.02)
    running = asyncio.get_running_loop().create_task(probe.run())
    await _until(lambda: bool(probe.seen()))
    down = probe.seen()["default"]
    runner = web.ServerRunner(web.Server(ollama), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    await _until(lambda: probe.seen()["default"].up)
    kind_up = probe.kind("default")
    await runner.cleanup()
    await _until(lambda: not probe.seen()["default"].up)

    running.cancel()

    assert (down.up, down.kind, down.error) == (False, "auto", "Connection refused")
    assert kind_up == probe.kind("default") == "ollama"
    assert probe.kind("another") is None


async def test_a_mute_upstream_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_probe, "TIMEOUT_S", 0.1)

    async def mute(_request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with serving(mute) as port:
        probe = Probe([upstream(port)], every_s=60)
        running = asyncio.get_running_loop().create_task(probe.run())
        await _until(lambda: bool(probe.seen()))
        running.cancel()

    assert probe.seen()["default"].up is False
    assert "no answer" in (probe.seen()["default"].error or "")


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)
