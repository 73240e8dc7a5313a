"""Heads and bodies of answers that could be read in two ways are never passed on."""

from __future__ import annotations

import asyncio

import pytest

from .conftest import MakeRelay
from .peer import BrokenAnswerError, ask, chat, connected, request
from .scripted import OK, Conn, Scripted, answers

TWO = b"Content-Length: 2\r\n\r\n{}"
CODED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
HEADS = {
    "no http": b"hello\r\n\r\n",
    "http/0.9": b'{"id":1}\n',
    "letters in the status": b"HTTP/1.1 2OO OK\r\n" + TWO,
    "status 099": b"HTTP/1.1 099 OK\r\n" + TWO,
    "status 600": b"HTTP/1.1 600 OK\r\n" + TWO,
    "status 20": b"HTTP/1.1 20 OK\r\n" + TWO,
    "status 2000": b"HTTP/1.1 2000 OK\r\n" + TWO,
    "101 unasked": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhi",
    "two spaces": b"HTTP/1.1  200 OK\r\n" + TWO,
    "version 0.9": b"HTTP/0.9 200 OK\r\n" + TWO,
    "version 2.0": b"HTTP/2.0 200 OK\r\n" + TWO,
    "version 1.2": b"HTTP/1.2 200 OK\r\n" + TWO,
    "old version behind a 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/0.9 200 OK\r\n" + TWO,
    "rtsp": b"RTSP/1.0 200 OK\r\n" + TWO,
    "shoutcast": b"ICE/1.0 200 OK\r\n" + TWO,
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "bare CR": b"HTTP/1.1 200 OK\r\nX: a\rb\r\n" + TWO,
    "folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n" + TWO,
    "NUL in a value": b"HTTP/1.1 200 OK\r\nX: a\0b\r\n" + TWO,
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\n" + TWO,
    "escape in the reason": b"HTTP/1.1 200 O\x1bK\r\n" + TWO,
    "name with a space": b"HTTP/1.1 200 OK\r\nX A: b\r\n" + TWO,
    "space before the colon": b"HTTP/1.1 200 OK\r\nX : b\r\n" + TWO,
    "no colon": b"HTTP/1.1 200 OK\r\nX\r\n" + TWO,
    "no name": b"HTTP/1.1 200 OK\r\n: x\r\n" + TWO,
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + TWO,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + TWO,
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "a length in hex": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}",
    "a length beyond 64 bits": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    "length and chunked": CODED + b"chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked and length": CODED.replace(b"\r\n", b"\r\nContent-Length: 2\r\n") + b"chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "gzip, chunked": CODED + b"gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "gzip": CODED + b"gzip\r\n\r\n{}",
    "chunked twice": CODED + b"chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked, chunked": CODED + b"chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    "a long field": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n" + TWO,
    "1xx without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_malformed_head_is_a_502(make_relay: MakeRelay, kind: str, stream: bool) -> None:
    async with Scripted(answers(HEADS[kind])) as server:
        rig = await make_relay(server.port)
        answer = await ask(rig.port, chat(stream=stream))
        exchange = await rig.last()

    assert (answer.status, answer.error["code"]) == (502, "upstream_malformed")
    assert (exchange.finished.ending, exchange.finished.attempts) == ("upstream_failed", 1)


@pytest.mark.parametrize("kind", ["no http", "rtsp", "status 600", "version 0.9", "gzip, chunked", "NUL in the reason"])
async def test_it_is_one_however_it_is_cut(make_relay: MakeRelay, kind: str) -> None:
    async def drip(conn: Conn) -> None:
        await conn.request()
        for at in range(len(HEADS[kind])):
            await conn.send(HEADS[kind][at : at + 1])
            await asyncio.sleep(0)

    async with Scripted(drip) as server:
        rig = await make_relay(server.port)
        assert (await ask(rig.port, chat())).error["code"] in ("upstream_malformed", "upstream_closed")


BODIES = [
    b"zz\r\nab\r\n", b"-2\r\nab\r\n", b"0x2\r\nab\r\n", b"2 \r\nab\r\n", b"2\nab\r\n", b"2\r\nabc\r\n", b"2\r\nab\n",
    b"\r\n2\r\nab\r\n", b"fffffffffffffffff\r\nab\r\n", b"2\r\nabX\r", b"1_0\r\n" + b"a" * 16 + b"\r\n",
]  # fmt: skip


@pytest.mark.parametrize("bad", BODIES)
@pytest.mark.parametrize("together", [True, False])
async def test_a_malformed_chunk_breaks_the_answer(make_relay: MakeRelay, bad: bytes, together: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    raw = [head + bad] if together else [head, bad]
    async with Scripted(answers(*raw, close=True)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            if together:  # its head was not passed on yet
                assert (await peer.ask(request("GET", "/x"))).error["code"] == "upstream_malformed"
            else:
                peer.send(request("GET", "/x"))
                with pytest.raises(BrokenAnswerError):
                    await peer.answer()
        exchange = await rig.last()

    assert exchange.finished.ending == "upstream_failed"


@pytest.mark.parametrize("behind", [b"junk", OK, b"HTTP/1.1 200 OK\r\nContent-", b"\r\n\r\nHTTP/1.1"])
@pytest.mark.parametrize(
    "first",
    [OK, b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"],
)
async def test_bytes_behind_the_end_are_nobodys_answer(make_relay: MakeRelay, first: bytes, behind: bytes) -> None:
    async with Scripted(answers(first + behind)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(3):
                answer = await peer.ask(request("GET", "/x"))
                assert answer.body == (b"" if answer.status == 204 else b"{}")
        exchanges = await rig.ended(3)
        assert server.connections == 3

    assert {"complete"} == {exchange.finished.ending for exchange in exchanges}


async def test_bytes_on_an_idle_connection_make_it_useless(make_relay: MakeRelay) -> None:
    left = asyncio.Semaphore(0)

    async def late(conn: Conn) -> None:
        await conn.request()
        await conn.send(OK)
        await asyncio.sleep(0.02)
        await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        await conn.left()
        left.release()

    async with Scripted(late) as server:
        rig = await make_relay(server.port)
        for _ in range(3):
            assert (await ask(rig.port, request("GET", "/x"))).body == b"{}"
            await left.acquire()
        assert server.connections == 3
