"""Answers without a good end or without end; tests/relay/test_malformed_answers has the malformed heads."""

from __future__ import annotations

import asyncio

import pytest

from tests.relay.conftest import MakeRelay
from tests.relay.peer import BrokenAnswerError, ask, chat, connected, request
from tests.relay.scripted import OK, Conn, Scripted, answers

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


@pytest.mark.parametrize("endless", [b"0\r\n" + b"X: y\r\n" * 100, b"3;" + b"a" * 100, b"0\r\nX: " + b"y" * 100])
async def test_trailers_and_extensions_have_an_end(make_relay: MakeRelay, endless: bytes) -> None:
    async def flood(conn: Conn) -> None:
        await conn.request()
        await conn.send(CHUNKED + endless)
        sending = asyncio.ensure_future(_send_on(conn, endless[-6:]))
        await conn.left()
        sending.cancel()

    async with Scripted(flood) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(request("GET", "/x"))
            with pytest.raises(BrokenAnswerError):
                await peer.answer()
        finished = (await rig.last()).finished
        assert (finished.ending, finished.error_code) == ("upstream_failed", "upstream_malformed")


async def _send_on(conn: Conn, data: bytes) -> None:
    while True:
        await conn.send(data * 1000)


async def test_trailers_are_not_passed_on(make_relay: MakeRelay) -> None:
    async with Scripted(answers(CHUNKED + b"0\r\nX-Trailer: 1\r\n\r\n")) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(request("GET", "/x"))
            assert (answer.body, answer.value(b"x-trailer")) == (b"abc", None)
            assert (await peer.ask(request("GET", "/y"))).body == b"abc"


@pytest.mark.parametrize("field", [b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b""])
async def test_204_has_neither_length_nor_body(make_relay: MakeRelay, field: bytes) -> None:
    async with Scripted(answers(b"HTTP/1.1 204 No Content\r\n" + field + b"\r\n")) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(request("DELETE", "/x"))
            assert (answer.status, answer.value(b"content-length"), answer.value(b"transfer-encoding")) == (
                204,
                None,
                None,
            )
            assert (await peer.ask(request("DELETE", "/y"))).status == 204


@pytest.mark.parametrize(
    "before",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 5 + b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 199 What\r\n\r\n",
    ],
)
async def test_interim_answers_stay_here(make_relay: MakeRelay, before: bytes) -> None:
    async with Scripted(answers(before + OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(2):
                answer = await peer.ask(chat())
                assert (answer.status, answer.body, answer.value(b"link")) == (200, b"{}", None)


@pytest.mark.parametrize("said", [3, 100, 2**40])
async def test_a_length_that_lies_breaks_off_here_too(make_relay: MakeRelay, said: int) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nab" % said
    async with Scripted(answers(raw, close=True)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(chat())
            with pytest.raises(BrokenAnswerError):
                await peer.answer()
        assert (await rig.last()).finished.error_code == "upstream_broke_off"


async def test_more_than_was_said_is_not_passed_on(make_relay: MakeRelay) -> None:
    """Bytes behind an answer could pass for the next one: they go with their connection."""
    async with Scripted(answers(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(3):
                assert (await peer.ask(chat())).body == b"{}"
        assert server.connections == 3


async def test_many_bad_ones_do_not_spoil_good_ones(make_relay: MakeRelay) -> None:
    async def sometimes(conn: Conn) -> None:
        while True:
            seen = await conn.request()
            await conn.send(b"HTTP/1.1 099 Odd\r\n\r\n" if b"/bad" in seen.line else OK)

    async with Scripted(sometimes) as server:
        rig = await make_relay(server.port)
        found = await asyncio.gather(*(ask(rig.port, request("GET", "/bad" if n % 2 else "/x")) for n in range(40)))
        assert [answer.status for answer in found] == [502 if n % 2 else 200 for n in range(40)]
