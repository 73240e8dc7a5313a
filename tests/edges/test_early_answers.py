"""An upstream that answers before it has the whole body: the upload stops and the answer is passed on."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from proxy.journal.counters import Counter
from tests.relay.conftest import MakeRelay
from tests.relay.peer import Peer, ask, chat, connected, request
from tests.relay.scripted import OK, Conn, Scripted

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"


async def early(conn: Conn) -> None:
    """Takes the head and a little, answers, reads no more."""
    head = await conn.head()
    if b"/upload" not in head:
        await conn.send(OK)
        return
    await conn.reader.readexactly(1000)
    await conn.send(TOO_LARGE)
    await conn.left()


async def upload(peer: Peer, *, chunked: bool) -> int:
    """Send without end, as long as it is taken; gives the bytes sent."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        while not peer.reader.at_eof() and sent < 200_000_000:
            piece = b"x" * 65536
            peer.send(b"10000\r\n%b\r\n" % piece if chunked else piece)
            sent += len(piece)
            await peer.writer.drain()
    return sent


@pytest.mark.parametrize("chunked", [True, False])
async def test_the_answer_passes_and_the_upload_stops(make_relay: MakeRelay, chunked: bool) -> None:
    async with Scripted(early) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 60000000"
            peer.send(request("POST", "/upload", framing))
            uploading = asyncio.ensure_future(upload(peer, chunked=chunked))
            answer = await peer.answer()
            assert (answer.status, answer.body, answer.value(b"connection")) == (413, b"big", b"close")
            assert await peer.closed()
            uploading.cancel()
        await asyncio.wait_for(server.left.wait(), 30)
        finished = (await rig.last()).finished
        assert (finished.ending, finished.status, finished.upstream_status) == ("complete", 413, 413)
        assert (await ask(rig.port, chat())).status == 200
        assert rig.count(Counter.UPSTREAM_BUSY) == 0


async def test_an_early_answer_to_a_small_body_keeps_nothing_waiting(make_relay: MakeRelay) -> None:
    """The client does not go on with its body: it has its answer at once, and the connection its end."""
    async with Scripted(early) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(request("POST", "/upload", "Content-Length: 5000") + b"x" * 2000)
            answer = await peer.answer()
            assert answer.status == 413
            assert await peer.closed()


@pytest.mark.parametrize("coding", ["gzip", "zstd", "br", "deflate, gzip", "\xe9"])
async def test_bodies_are_not_unpacked(make_relay: MakeRelay, coding: str) -> None:
    sealed = bytes(range(256)) * 40

    async def echo(conn: Conn) -> None:
        seen = await conn.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
        await conn.send(head % (seen.values(b"content-encoding")[0], len(seen.body)) + seen.body)

    async with Scripted(echo) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            raw = request("POST", "/v1/chat/completions", f"Content-Length: {len(sealed)}")
            answer = await peer.ask(raw[:-2] + b"Content-Encoding: " + coding.encode("latin-1") + b"\r\n\r\n" + sealed)
    assert (server.seen[0].body, answer.body) == (sealed, sealed)
    assert answer.value(b"content-encoding") == coding.encode("latin-1")
