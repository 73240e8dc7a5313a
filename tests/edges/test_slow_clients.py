"""Clients that are slow on purpose: heads and bodies that trickle, answers that nobody reads."""

from __future__ import annotations

import asyncio

import pytest

from proxy.core.config import Limits
from proxy.journal.counters import Counter
from tests.relay.conftest import MakeRelay
from tests.relay.peer import BrokenAnswerError, ask, chat, connected, request
from tests.relay.scripted import OK, Conn, Scripted, answers

from .recorder import GET, NEXT, Recorder

QUICK = Limits(head_s=0.3, body_s=0.3, send_s=0.3)


@pytest.mark.parametrize("begun", [b"G", b"GET /x HTTP/1.1\r\n", GET, GET + b"X: y"])
async def test_a_head_that_does_not_end_gets_408(make_relay: MakeRelay, begun: bytes) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port, limits=QUICK)
        async with connected(rig.port) as peer:
            peer.send(begun)
            answer = await peer.answer()
            assert (answer.status, answer.error["code"], answer.value(b"connection")) == (408, "head_timeout", b"close")
            assert await peer.closed()
        assert (upstream.requests, rig.count(Counter.UNFRAMED)) == ([], 1)


async def test_a_trickling_head_gets_408_as_well(make_relay: MakeRelay) -> None:
    """Slowloris: each byte would start a timer anew that watched reads only."""
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port, limits=QUICK)
        async with connected(rig.port) as peer:
            peer.send(GET)
            trickle = asyncio.ensure_future(_trickle(peer.send))
            assert (await peer.answer()).status == 408
            trickle.cancel()
        assert (await ask(rig.port, request("GET", "/x"))).status == 200


async def _trickle(send) -> None:  # type: ignore[no-untyped-def]
    while True:
        send(b"X-a: b\r\n")
        await asyncio.sleep(0.02)


async def test_a_silent_new_connection_is_closed_and_a_kept_one_is_not(make_relay: MakeRelay) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port, limits=QUICK)
        async with connected(rig.port) as kept, connected(rig.port) as silent:
            assert (await kept.ask(NEXT)).status == 200
            assert await silent.closed()
            await asyncio.sleep(0.5)
            assert (await kept.ask(NEXT)).status == 200
            kept.send(b"GET")  # a later head has its time, too
            assert (await kept.answer()).status == 408


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_end_gets_408(make_relay: MakeRelay, path: str, framing: str) -> None:
    async def reads(conn: Conn) -> None:
        await conn.head()
        await conn.left()

    async with Scripted(reads) as server:
        rig = await make_relay(server.port, limits=QUICK)
        async with connected(rig.port) as peer:
            peer.send(request("POST", path, framing) + b"4\r\n{   \r\n")
            trickle = asyncio.ensure_future(_pieces(peer.send))
            answer = await peer.answer()
            trickle.cancel()
            assert (answer.status, answer.error["code"], answer.value(b"connection")) == (408, "body_timeout", b"close")
        finished = (await rig.last()).finished
        assert (finished.ending, finished.error_code, finished.status) == ("refused", "body_timeout", 408)


async def _pieces(send) -> None:  # type: ignore[no-untyped-def]
    while True:
        send(b"1\r\na\r\n")
        await asyncio.sleep(0.02)


async def test_a_model_file_may_take_its_time_but_not_fall_silent(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, limits=QUICK)
        async with connected(rig.port) as peer:
            peer.send(request("POST", "/api/blobs/sha256:1", "Transfer-Encoding: chunked"))
            for _ in range(30):
                peer.send(b"1\r\na\r\n")
                await asyncio.sleep(0.02)
            peer.send(b"0\r\n\r\n")
            assert (await peer.answer()).status == 200
            peer.send(request("POST", "/api/blobs/sha256:1", "Transfer-Encoding: chunked"))
            assert (await peer.answer()).status == 408


async def test_a_client_that_never_reads_gives_its_slot_back(make_relay: MakeRelay) -> None:
    async def floods(conn: Conn) -> None:
        await conn.request()
        await conn.send(b"HTTP/1.1 200 OK\r\n\r\n")
        with_end = asyncio.ensure_future(_flood(conn))
        await conn.left()
        with_end.cancel()

    async with Scripted(floods) as server:
        rig = await make_relay(server.port, limits=QUICK)
        async with connected(rig.port, receive_bytes=4096) as peer:
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            peer.send(request("GET", "/x"))
            async with asyncio.timeout(30):
                await server.left.wait()
        finished = (await rig.last()).finished
        assert (finished.ending, finished.error_code) == ("client_left", "client_stalled")
        assert rig.count(Counter.CLIENTS_STALLED) == 1


async def _flood(conn: Conn) -> None:
    while True:
        await conn.send(b"x" * 65536)


async def test_a_slow_reader_is_not_cut_off(make_relay: MakeRelay) -> None:
    size = 4_000_000

    async def large(conn: Conn) -> None:
        await conn.request()
        await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)

    async with Scripted(large) as server:
        rig = await make_relay(server.port, limits=QUICK)
        async with connected(rig.port, receive_bytes=4096) as peer:
            peer.send(request("GET", "/x"))
            head = await peer.head()
            assert head.status == 200
            got = 0
            while got < size:
                piece = await peer.reader.read(200_000)
                assert piece
                got += len(piece)
                await asyncio.sleep(0.05)
        assert (await rig.last()).finished.ending == "complete"
        assert rig.count(Counter.CLIENTS_STALLED) == 0


async def test_others_are_served_beside_slow_ones(make_relay: MakeRelay) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port, limits=Limits(head_s=2))
        slow = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(200)]
        for _, writer in slow:
            writer.write(b"GET /x HT")
        try:
            assert [(await ask(rig.port, chat())).status for _ in range(20)] == [200] * 20
        finally:
            for _, writer in slow:
                writer.transport.abort()


async def test_a_call_cut_off_by_silence_of_its_upload_breaks_nothing_else(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, limits=QUICK)
        async with connected(rig.port) as gone:
            gone.send(request("POST", "/v1/files", "Content-Length: 10") + b"abc")
            with pytest.raises((BrokenAnswerError, AssertionError)):
                assert (await gone.answer()).status == 200
        # Over a connection of its own: one that was open all the while would have been silent for too long.
        assert (await ask(rig.port, chat())).status == 200
