"""How much is taken at once: connections, calls, memory. What is one too many is told so, and counted."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from proxy.core.config import Limits
from proxy.journal.counters import Counter
from tests.relay.conftest import MakeRelay
from tests.relay.peer import Peer, ask, chat, connected, post, request
from tests.relay.scripted import OK, Conn, Scripted, answers

from .recorder import NEXT


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        (Limits(connections=3), 503, "too_many_connections"),
        (Limits(per_address=3), 429, "too_many_connections_of_address"),
    ],
)
async def test_a_request_on_one_connection_too_many_is_refused(
    make_relay: MakeRelay, limits: Limits, status: int, code: str
) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, limits=limits)
        async with contextlib.AsyncExitStack() as stack:
            held = [await stack.enter_async_context(connected(rig.port)) for _ in range(3)]
            assert [(await peer.ask(NEXT)).status for peer in held] == [200] * 3
            async with connected(rig.port) as peer:
                answer = await peer.ask(chat())
                assert (answer.status, answer.error["code"]) == (status, code)
                assert (answer.value(b"retry-after"), answer.value(b"connection")) == (b"1", b"close")
                assert await peer.closed()
            assert (await held[0].ask(NEXT)).status == 200
        finished = (await rig.ended(5))[3].finished
        assert (finished.ending, finished.error_code, finished.status) == ("refused", code, status)
        await rig.until(lambda: rig.count(Counter.CLIENTS) == 0)
        assert (await ask(rig.port, NEXT)).status == 200


async def test_far_beyond_the_limit_connections_are_closed_at_once(make_relay: MakeRelay) -> None:
    rig = await make_relay(1, limits=Limits(connections=1))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(65):
            await stack.enter_async_context(connected(rig.port))
        await rig.until(lambda: rig.count(Counter.CLIENTS) == 65)
        async with connected(rig.port) as peer:
            assert await peer.closed()
        assert rig.count(Counter.CONNECTIONS_REFUSED) == 1


async def test_a_client_has_so_many_calls_and_no_more(make_relay: MakeRelay) -> None:
    async def holds(conn: Conn) -> None:
        while True:
            seen = await conn.request()
            await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
            if b"/hold" in seen.line:
                await release.wait()
            await conn.send(b"}")

    release = asyncio.Event()
    async with Scripted(holds) as server:
        rig = await make_relay(server.port, limits=Limits(calls_per_client=2))
        async with connected(rig.port) as one, connected(rig.port) as two, connected(rig.port) as three:
            for peer in (one, two):
                peer.send(request("GET", "/hold"))
            await rig.until(lambda: rig.count(Counter.UPSTREAM_BUSY) == 2)
            answer = await three.ask(chat())
            assert (answer.status, answer.error["code"]) == (429, "too_many_calls")
            release.set()
            assert [(await peer.answer()).status for peer in (one, two)] == [200, 200]
            assert [(await _on(rig.port)).status for _ in range(5)] == [200] * 5


async def _on(port: int):  # type: ignore[no-untyped-def]
    return await ask(port, NEXT)


async def test_past_the_memory_mark_new_calls_wait_and_running_ones_go_on(make_relay: MakeRelay) -> None:
    async def slow(conn: Conn) -> None:
        while True:
            await conn.request()
            await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
            await release.wait()
            await conn.send(b"}")

    release = asyncio.Event()
    async with Scripted(slow) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as running:
            running.send(chat())
            await rig.until(lambda: rig.count(Counter.UPSTREAM_BUSY) == 1)
            rig.handler._memory.full = True
            answer = await ask(rig.port, chat())
            assert (answer.status, answer.error["code"], answer.value(b"retry-after")) == (503, "out_of_memory", b"1")
            assert (await ask(rig.port, request("GET", "/-/health"))).status == 200
            release.set()
            assert (await running.answer()).status == 200
        rig.handler._memory.full = False
        assert (await ask(rig.port, chat())).status == 200


async def test_bodies_under_way_count_against_the_mark(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        rig.handler._memory._mark, rig.handler._memory._room = 1, 1_000_000
        async with connected(rig.port) as peer:
            await _send_slowly(peer, post("/v1/chat/completions", b'{"model":"' + b"x" * 3_000_000 + b'"}'))
            answer = await peer.answer()
            assert (answer.status, answer.error["code"]) == (503, "out_of_memory")


async def _send_slowly(peer: Peer, raw: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        for at in range(0, len(raw), 200_000):
            peer.send(raw[at : at + 200_000])
            await asyncio.sleep(0)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files", "/v1/audio/transcriptions", "/api/create"])
@pytest.mark.parametrize("how", ["announced", "chunked"])
async def test_a_body_over_the_limit_is_refused_on_every_path(make_relay: MakeRelay, path: str, how: str) -> None:
    async def reads(conn: Conn) -> None:
        await conn.head()
        await conn.left()

    async with Scripted(reads) as server:
        rig = await make_relay(server.port, limits=Limits(body_bytes=1000))
        async with connected(rig.port) as peer:
            framing = "Content-Length: 1001" if how == "announced" else "Transfer-Encoding: chunked"
            peer.send(request("POST", path, framing) + (b"3e9\r\n" + b"x" * 1001 if how == "chunked" else b""))
            answer = await peer.answer()
            assert (answer.status, answer.error["code"]) == (413, "request_too_large")
        assert (await rig.last()).finished.error_code == "request_too_large"
