"""A slow reader slows the one who writes; memory does not grow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from proxy.journal.counters import Counter

from .conftest import MakeRelay
from .peer import CHAT, chat, connected, post, reading, request
from .rig import Rig
from .scripted import OK, Conn, Scripted, answers, chunked

SIZE = 50_000_000
PIECE = (bytes(range(32, 256)) * 293)[:65534] + b"\n\n"


def client_buffer(rig: Rig) -> int:
    (client,) = rig.listener.connections
    assert client.transport is not None
    return client.transport.get_write_buffer_size()


@pytest.mark.parametrize("framing", ["length", "chunked", "injected"])
async def test_a_slow_reader_of_a_long_answer(make_relay: MakeRelay, framing: str) -> None:
    sent = 0

    async def flood(conn: Conn) -> None:
        nonlocal sent
        while True:
            await conn.request()
            if framing == "length":
                await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            else:
                await conn.send(chunked(b":\n\n", end=False)[:-8])
            sent = 0
            while sent < SIZE:
                piece = PIECE[: SIZE - sent]
                await conn.send(piece if framing == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
                sent += len(piece)
            if framing != "length":
                await conn.send(b"0\r\n\r\n")

    async with Scripted(flood) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port, receive_bytes=65536) as peer:
            peer.send(chat(stream=True) if framing == "injected" else chat())
            await peer.head()
            reading(peer.writer).pause_reading()
            await unchanged(lambda: sent)
            assert sent < 20_000_000  # what the kernel's buffers took
            assert client_buffer(rig) < 1_000_000
            reading(peer.writer).resume_reading()
            got = 0
            if framing == "length":
                while got < SIZE:
                    got += len(await peer.reader.read(1 << 20))
                    assert client_buffer(rig) < 1_000_000
            else:
                async for piece in peer.chunks():
                    got += len(piece)
            assert got == SIZE
            exchange = await rig.last()
            assert exchange.finished.ending == "complete"
            assert len(exchange.answer_body) <= 4 * 1024 * 1024
            # The connection that was paused serves the next call.
            peer.send(chat())
            await peer.head()
            peer.leave()
        assert server.connections == 1


async def test_a_connection_paused_by_the_last_bytes_serves_the_next_call(make_relay: MakeRelay) -> None:
    """The end of an answer pauses a slow client's upstream when the answer is over already."""
    body = b"x" * 60_000  # one read; two are more than a transport holds before it says that it is full
    async with Scripted(answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port, receive_bytes=4096) as peer:
            reading(peer.writer).pause_reading()
            for _ in range(150):
                peer.send(chat())
            await rig.until(lambda: client_buffer(rig) > len(body))
            await unchanged(lambda: client_buffer(rig))
            assert client_buffer(rig) < 3 * len(body)  # the other answers wait, not their bytes
            reading(peer.writer).resume_reading()
            for _ in range(150):
                assert body == (await peer.answer()).body
        assert server.connections == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_long_upload_streams_at_the_upstreams_pace(make_relay: MakeRelay, framing: str) -> None:
    size, got = SIZE, 0
    resume = asyncio.Event()

    async def slow(conn: Conn) -> None:
        nonlocal got
        await conn.head()
        reading(conn.writer).pause_reading()
        await resume.wait()
        reading(conn.writer).resume_reading()
        if framing == "length":
            while got < size:
                got += len(await conn.reader.read(1 << 18))
        else:
            got = len(await conn._chunks())
        await conn.send(OK)

    async with Scripted(slow, receive_bytes=65536) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            head = f"Content-Length: {size}" if framing == "length" else "Transfer-Encoding: chunked"
            peer.send(request("POST", "/api/blobs/sha256:1", head))
            sent = 0

            async def upload() -> None:
                nonlocal sent
                while sent < size:
                    piece = PIECE[: size - sent]
                    peer.send(piece if framing == "length" else b"%x\r\n%b\r\n" % (len(piece), piece))
                    sent += len(piece)
                    await peer.writer.drain()
                if framing == "chunked":
                    peer.send(b"0\r\n\r\n")

            uploading = asyncio.ensure_future(upload())
            await rig.until(lambda: rig.count(Counter.UPSTREAM_BUSY) == 1)
            await unchanged(lambda: sent)
            assert sent < 25_000_000
            resume.set()
            assert (await peer.answer()).status == 200
            await uploading
        exchange = await rig.last()

    assert (size, size) == (got, exchange.finished.request_bytes)
    assert exchange.finished.request_cut
    assert len(exchange.request_body) == 1024 * 1024


async def test_a_body_of_images_holds_no_other_call_up(make_relay: MakeRelay) -> None:
    """Ten megabytes of base64 are looked through piece by piece."""
    images = {**CHAT, "messages": [{"role": "user", "content": "QUJD" * 2_500_000}], "stream": True, "model": "big"}
    raw = post("/v1/chat/completions", images)
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as big, connected(rig.port) as small:
            longest = 0.0
            asking = asyncio.ensure_future(send_slowly(big.writer, raw))
            while not asking.done():
                began = time.thread_time()  # CPU time: others may have the core meanwhile
                assert (await small.ask(chat())).status == 200
                longest = max(longest, time.thread_time() - began)
            assert (await big.answer()).status == 200
            exchanges = await rig.ended(len(rig.exchanges) or rig.count(Counter.CALLS))

    assert longest < 0.5
    assert "big" in {exchange.finished.model for exchange in exchanges}
    assert any(len(seen.body) > 10_000_000 and b'"include_usage":true' in seen.body[:100] for seen in server.seen)


async def send_slowly(writer: asyncio.StreamWriter, raw: bytes) -> None:
    for at in range(0, len(raw), 256 * 1024):
        writer.write(raw[at : at + 256 * 1024])
        await writer.drain()
        await asyncio.sleep(0)


async def unchanged(value: Callable[[], int]) -> None:
    """Until it stays as it is through many turns of the loop."""
    seen, turns = value(), 0
    while turns < 25:
        await asyncio.sleep(0.01)
        seen, turns = value(), turns + 1 if value() == seen else 0
