"""A client that leaves breaks the upstream call within a second, in every phase, and the frame says so."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.journal.counters import Counter
from proxy.relay.listener import ClientConnection
from proxy.standin.server import StandIn

from .conftest import MakeRelay
from .peer import CHAT, BrokenAnswerError, Peer, chat, connected, post, reading, request
from .rig import Rig, upstream
from .scripted import OK, Conn, Scripted, chunked

HOWS = ["close", "reset", "half-close"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("settings", "phase"),
    [
        ("load_s=30", "load"),
        ("first_token_s=30", "first_token"),
        ("fault=mute", "mute"),
        ("token_s=0.01;tokens=5000", ""),
    ],
)
async def test_the_model_stops(
    stand_in: StandIn, relay: Rig, settings: str, phase: str, stream: bool, how: str
) -> None:
    async with connected(relay.port) as peer:
        peer.send(chat(f"x-stand-in: {settings}", model="loop", stream=stream))
        await relay.until(lambda: stand_in.stats.active == 1)
        if stream and not phase:
            await peer.head()
        await asyncio.sleep(0.05)
        peer.leave(how)
        await relay.until(lambda: stand_in.stats.cancelled == 1)
        exchange = await relay.last()

    assert (exchange.finished.ending, exchange.finished.error_code) == ("client_left", "client_left")
    speaking = ("stream",) if stream else ("answer", "first_token")  # a plain answer does not tell that it has begun
    assert stand_in.stats.left[0].phase in ((phase,) if phase else speaking)
    assert (exchange.finished.status == 200) == (phase == "" and stream)


async def test_leaving_before_the_head_is_whole_is_no_call(relay: Rig) -> None:
    async with connected(relay.port) as peer:
        peer.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: local")
        await asyncio.sleep(0.02)
        peer.leave()
        await relay.until(lambda: relay.count(Counter.CLIENTS) == 0)

    assert relay.count(Counter.CALLS) == relay.count(Counter.UNFRAMED) == 0


@pytest.mark.parametrize("how", HOWS)
async def test_leaving_while_a_body_is_held(relay: Rig, how: str) -> None:
    async with connected(relay.port) as peer:
        peer.send(chat()[:-10])
        await relay.until(lambda: relay.count(Counter.CALLS) == 1)
        peer.leave(how)
        exchange = await relay.last()

    assert (exchange.finished.ending, exchange.finished.attempts) == ("client_left", 0)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_leaving_while_uploading(
    make_relay: MakeRelay, how: str, framing: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def reading(conn: Conn) -> None:
        await conn.head()
        await conn.left()

    async with Scripted(reading) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(request("POST", "/api/blobs/sha256:1", framing) + b"5\r\nabcde\r\n")
            await rig.until(lambda: rig.count(Counter.UPSTREAM_BUSY) == 1)
            await asyncio.sleep(0.03)
            peer.leave(how)
            await asyncio.wait_for(server.left.wait(), 30)
            exchange = await rig.last()

    assert exchange.finished.ending == "client_left"
    assert not caplog.records


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("held", [True, False])
async def test_leaving_while_the_upstream_does_not_read(make_relay: MakeRelay, how: str, held: bool) -> None:
    released = asyncio.Event()

    async def deaf(conn: Conn) -> None:
        reading(conn.writer).pause_reading()
        await released.wait()
        reading(conn.writer).resume_reading()
        await conn.left()

    body = b'{"model":"a","x":"' + b"x" * 20_000_000 + b'"}'
    async with Scripted(deaf, receive_bytes=65536) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            if held:
                peer.send(post("/v1/chat/completions", body))
                await rig.until(lambda: rig.count(Counter.UPSTREAM_BUSY) == 1)
                await asyncio.sleep(0.1)
            else:
                peer.send(request("POST", "/api/blobs/sha256:1", "Content-Length: 20000000"))
                await fill(rig, peer)
            if how == "half-close":
                peer.writer.transport.abort()
            else:
                peer.leave(how)
            exchange = await rig.last()
            released.set()
            await asyncio.wait_for(server.left.wait(), 30)

    assert exchange.finished.ending == "client_left"


async def fill(rig: Rig, peer: Peer) -> None:
    """Send until the relay reads no more. What is sent now reached it, so that the end of it all can, too."""
    (client,) = rig.listener.connections
    async with asyncio.timeout(30):
        while not (client._reading_paused or client._buffer_paused):
            peer.send(b"x" * 65536)
            await asyncio.sleep(0.005)
    assert peer.writer.transport.get_write_buffer_size() == 0


async def test_leaving_behind_more_requests_than_are_read_ahead(make_relay: MakeRelay) -> None:
    async def mute(conn: Conn) -> None:
        await conn.request()
        await conn.left()

    async with Scripted(mute) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(chat() * 40 + request("POST", "/x", "Content-Length: 3000000"))
            await fill(rig, peer)
            peer.leave()
            await asyncio.wait_for(server.left.wait(), 30)
        exchanges = await rig.ended(1)

    assert exchanges[0].finished.ending == "client_left"


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_leaving_behind_what_is_refused(make_relay: MakeRelay, how: str) -> None:
    async def mute(conn: Conn) -> None:
        await conn.request()
        await conn.left()

    async with Scripted(mute) as server:
        rig = await make_relay((upstream(server.port, first_byte_s=30.0),))
        async with connected(rig.port) as peer:
            peer.send(chat() + b"rubbish\r\n\r\n")
            await rig.until(lambda: rig.count(Counter.UPSTREAM_BUSY) == 1)
            peer.leave(how)
            exchange = await rig.last()

    assert exchange.finished.ending == "client_left"


async def test_leaving_while_connecting(make_relay: MakeRelay) -> None:
    with socket.socket() as full:  # a listener whose queue is full takes no connection
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        rig = await make_relay((upstream(port, connect_s=10.0),))
        async with connected(rig.port) as peer:
            peer.send(chat())
            await rig.until(lambda: rig.count(Counter.CALLS) == 1)
            await asyncio.sleep(0.05)
            peer.leave()
            exchange = await rig.last()
        for filler in fillers:
            filler.close()

    assert (exchange.finished.ending, exchange.finished.attempts) == ("client_left", 0)


async def test_leaving_as_a_slow_reader_of_a_paused_stream(make_relay: MakeRelay) -> None:
    async def flood(conn: Conn) -> None:
        await conn.request()
        await conn.send(chunked(b"x" * 1000, end=False))
        while True:
            await conn.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    gone = asyncio.Event()

    async def watched(conn: Conn) -> None:
        try:
            await flood(conn)
        finally:
            gone.set()

    async with Scripted(watched) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port, receive_bytes=65536) as peer:
            peer.send(chat(stream=True))
            await peer.head()
            reading(peer.writer).pause_reading()
            await asyncio.sleep(0.2)
            peer.leave()
            await asyncio.wait_for(gone.wait(), 30)
        exchange = await rig.last()

    assert exchange.finished.ending == "client_left"


async def test_leaving_with_the_whole_answer_is_no_leaving(make_relay: MakeRelay) -> None:
    async def answer(conn: Conn) -> None:
        while True:
            await conn.request()
            await conn.send(OK)

    async with Scripted(answer) as server:
        rig = await make_relay(server.port)
        for _ in range(20):
            async with connected(rig.port) as peer:
                await peer.ask(chat())
                peer.leave()
        exchanges = await rig.ended(20)
        assert server.connections == 1

    assert {"complete"} == {exchange.finished.ending for exchange in exchanges}


async def test_a_stop_cuts_the_answer_and_says_stopped(stand_in: StandIn, relay: Rig) -> None:
    async with connected(relay.port) as peer, connected(relay.port) as old:
        peer.send(chat("x-stand-in: token_s=0.01;tokens=5000", model="loop", stream=True))
        body = {**CHAT, "model": "loop", "stream": True}
        old.send(post("/v1/chat/completions", body, "x-stand-in: token_s=0.01;tokens=5000", version="1.0"))
        await peer.head()
        await old.head()
        relay.handler.stopping = True
        await relay.listener.shutdown(0.05)
        with pytest.raises(BrokenAnswerError):
            async for _ in peer.chunks():
                pass
        with pytest.raises(ConnectionError):  # its only end is the close: that must not look clean
            await old.reader.read()
        exchanges = await relay.ended(2)

    assert {"stopped"} == {exchange.finished.ending for exchange in exchanges}
    await relay.until(lambda: stand_in.stats.active == 0)


@pytest.mark.parametrize("last", [b"0\r\n\r\n", b"no chunk\r\n"], ids=["end", "fault"])
async def test_the_end_may_come_in_the_turn_in_which_the_client_leaves(make_relay: MakeRelay, last: bytes) -> None:
    """Between the word that it left and the call's own turn."""

    async def begins(conn: Conn) -> None:
        await conn.request()
        await conn.send(chunked(b"data: {}\n\n", end=False))
        await conn.left()

    async with Scripted(begins) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(chat(stream=True))
            await peer.head()
            (client,) = rig.listener.connections
            assert isinstance(client, ClientConnection)
            assert client.passage is not None
            assert client._task_handler is not None
            client._task_handler.cancel()  # as aiohttp does when a connection is lost
            client.passage.received(last)
        await asyncio.wait_for(server.left.wait(), 30)
        exchange = await rig.last()

    assert exchange.finished.ending == "client_left"
