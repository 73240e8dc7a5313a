"""Requests sent without waiting: answered in order, each whole; a bad one ends the row and loses none before it."""

from __future__ import annotations

import asyncio

import pytest

from tests.relay.conftest import MakeRelay
from tests.relay.peer import connected
from tests.relay.scripted import Conn, Scripted

from .recorder import CHUNKED, HOST, LAST


async def echo(conn: Conn) -> None:
    """Answers with the path; the first ones take longest."""
    while True:
        path = (await conn.request()).line.split()[1]
        await asyncio.sleep(0.02 if path.endswith(b"0") else 0)
        await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))


def get(number: int) -> bytes:
    return b"GET /%d HTTP/1.1\r\n%b\r\n" % (number, HOST)


@pytest.mark.parametrize("count", [2, 40, 500])
async def test_answers_come_in_order(make_relay: MakeRelay, count: int) -> None:
    async with Scripted(echo) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(b"".join(get(number) for number in range(count)))
            assert [(await peer.answer()).body for _ in range(count)] == [b"/%d" % number for number in range(count)]


async def test_bodies_between_are_read_where_they_belong(make_relay: MakeRelay) -> None:
    async with Scripted(echo) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(get(0) + CHUNKED + b"3\r\nabc\r\n" + LAST + get(1) + b"POST /y HTTP/1.1\r\n" + HOST)
            peer.send(b"Content-Length: %d\r\n\r\n" % len(get(9)) + get(9) + get(2))
            assert [(await peer.answer()).body for _ in range(5)] == [b"/0", b"/x", b"/1", b"/y", b"/2"]
    assert [seen.body for seen in server.seen] == [b"", b"abc", b"", get(9), b""]


@pytest.mark.parametrize("bad", [b"GET  /x HTTP/1.1\r\n", b"\x16\x03\x01", b"GET /x HTTP/1.1\r\nA B: c\r\n\r\n", b"\n"])
async def test_a_bad_one_is_answered_in_its_turn_and_ends_the_row(make_relay: MakeRelay, bad: bytes) -> None:
    async with Scripted(echo) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(get(0) + get(1) + bad + get(2))
            assert [(await peer.answer()).body for _ in range(2)] == [b"/0", b"/1"]
            assert (await peer.answer()).status == 400
            assert await peer.closed()
    assert len(server.seen) == 2


async def test_a_refused_one_ends_the_row(make_relay: MakeRelay) -> None:
    async with Scripted(echo) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(get(0) + b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n" + get(2))
            assert [(await peer.answer()).status for _ in range(2)] == [200, 501]
            assert await peer.closed()
    assert len(server.seen) == 1


async def test_trailers_do_not_reach_the_next_request(make_relay: MakeRelay) -> None:
    """aiohttp 3.14 puts the trailers of one request into the head of the next."""
    async with Scripted(echo) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(CHUNKED + b"3\r\nabc\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n" + get(1))
            assert (await peer.answer()).status == 400
            assert await peer.closed()
    assert not [seen for seen in server.seen if seen.values(b"x-forwarded-for")]


async def test_what_follows_an_offer_of_h2c_is_not_lost(make_relay: MakeRelay) -> None:
    """aiohttp 3.14 drops the bytes that come in one piece with such a request."""
    async with Scripted(echo) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            offer = b"GET /0 HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            peer.send(offer + offer + get(1))
            assert [(await peer.answer()).body for _ in range(3)] == [b"/0", b"/0", b"/1"]
