"""A pooled connection that proves dead costs one repetition; what may have run, or cannot be sent again, is not."""

from __future__ import annotations

import asyncio

import pytest

from proxy.journal.counters import Counter
from proxy.standin.server import StandIn

from .conftest import MakeRelay
from .peer import ask, chat, connected, request
from .rig import Rig, upstream
from .scripted import OK, Conn, Scripted, answers


@pytest.mark.parametrize("pause_s", [0.0, 0.002])
async def test_fifty_posts_to_an_upstream_that_closes_after_each_answer(relay: Rig, pause_s: float) -> None:
    async with connected(relay.port) as peer:
        for _ in range(50):
            assert (await peer.ask(chat("x-stand-in: fault=close-after-reply"))).status == 200
            await asyncio.sleep(pause_s)
        exchanges = await relay.ended(50)

    assert {"complete"} == {exchange.finished.ending for exchange in exchanges}
    assert max(exchange.finished.attempts for exchange in exchanges) <= 2
    assert sum(exchange.finished.attempts - 1 for exchange in exchanges) == relay.count(Counter.RETRIES)


@pytest.mark.parametrize("fault", ["close-on-next", "reset-on-next"])
async def test_a_connection_lost_with_the_request_is_replaced_once(stand_in: StandIn, relay: Rig, fault: str) -> None:
    async with connected(relay.port) as peer:
        for _ in range(10):
            assert (await peer.ask(chat(f"x-stand-in: fault={fault}"))).status == 200
        exchanges = await relay.ended(10)

    assert [1, *[2] * 9] == [exchange.finished.attempts for exchange in exchanges]
    assert relay.count(Counter.RETRIES) == 9
    assert all(exchange.answer_body.endswith(b"}\n") for exchange in exchanges)


async def test_a_fresh_connection_that_closes_is_not_tried_again(make_relay: MakeRelay) -> None:
    async def closes(conn: Conn) -> None:
        await conn.request()

    async with Scripted(closes) as server:
        rig = await make_relay(server.port)
        assert (await ask(rig.port, chat())).error["code"] == "upstream_closed"

    assert server.connections == 1
    assert (await rig.last()).finished.attempts == 1


async def test_an_answer_that_began_is_not_asked_for_again(make_relay: MakeRelay) -> None:
    async def half(conn: Conn) -> None:
        await conn.request()
        await conn.send(OK)
        await conn.request()
        await conn.send(b"HTTP/1.1 2")

    async with Scripted(half) as server:
        rig = await make_relay(server.port)
        assert (await ask(rig.port, chat())).status == 200
        assert (await ask(rig.port, chat())).error["code"] == "upstream_closed"

    assert server.connections == 1


async def test_a_streamed_body_is_not_sent_twice(make_relay: MakeRelay) -> None:
    async def once(conn: Conn) -> None:
        await conn.request()
        await conn.send(OK)
        await conn.head()

    async with Scripted(once) as server:
        rig = await make_relay(server.port)
        assert (await ask(rig.port, request("GET", "/x"))).status == 200
        async with connected(rig.port) as peer:
            peer.send(request("PUT", "/x", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
            answer = await peer.answer()

    assert answer.error["code"] in ("upstream_closed", "upstream_reset")
    assert (server.connections, rig.count(Counter.RETRIES)) == (1, 0)


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_held_body_is_sent_again_whole(make_relay: MakeRelay, size: int) -> None:
    async def once(conn: Conn) -> None:
        if server.connections == 1:
            await conn.request()
            await conn.send(OK)
            await conn.head()
            return
        await answers(OK)(conn)

    async with Scripted(once) as server:
        rig = await make_relay(server.port)
        body = chat(stream=True, x="y" * size)
        assert (await ask(rig.port, chat())).status == 200
        assert (await ask(rig.port, body)).status == 200
        exchange = await rig.last(2)

    assert b'"include_usage":true' in server.seen[1].body
    assert len(server.seen[1].body) > size
    assert (
        exchange.finished.attempts, exchange.finished.injected, exchange.finished.ending
    ) == (2, True, "complete")  # fmt: skip


async def test_connections_are_used_again_and_let_go_when_idle(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay((upstream(server.port, keep_idle_s=1.0),))
        async with connected(rig.port) as first, connected(rig.port) as second:
            for _ in range(5):
                await asyncio.gather(first.ask(chat()), second.ask(chat()))
        assert server.connections == 2
        assert rig.count(Counter.UPSTREAM_IDLE) == 2
        await rig.until(lambda: rig.count(Counter.UPSTREAM_IDLE) == 0)
        assert (await ask(rig.port, chat())).status == 200
        assert server.connections == 3


async def test_as_many_connections_are_kept_as_were_busy(make_relay: MakeRelay) -> None:
    all_there = asyncio.Barrier(40)

    async def together(conn: Conn) -> None:
        while True:
            await conn.request()
            await all_there.wait()
            await conn.send(OK)

    async with Scripted(together) as server:
        rig = await make_relay(server.port)
        for _ in range(2):
            answered = await asyncio.gather(*(ask(rig.port, chat()) for _ in range(40)))
            assert {200} == {answer.status for answer in answered}
        assert server.connections == 40
