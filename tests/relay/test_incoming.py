"""The requests of one connection: what one leaves unread does not disturb the next."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from proxy.journal.counters import Counter
from proxy.relay import incoming
from proxy.relay.handler import RelayHandler
from proxy.relay.listener import ClientConnection
from proxy.relay.request import Request

from .conftest import MakeRelay
from .peer import connected, request
from .scripted import OK, Conn, Scripted, answers

# What each ends a connection with; what is behind | comes when the call has begun.
ENDS = {
    "malformed": b"GET /x HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "malformed behind another": request("GET", "/x") + b"GET /x HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "malformed body": request("POST", "/x", "Transfer-Encoding: chunked") + b"zz\r\n",
    "two lengths": request("POST", "/x", "Content-Length: 1", "Content-Length: 2"),
    "too long": request("GET", "/x", "X: " + "x" * 40_000),
    "refused": b"GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "malformed upload": request("PUT", "/x", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n|zz\r\n",
    "malformed held body": request("POST", "/api/chat", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n|zz\r\n",
    "others behind it": request("GET", "/x", "Connection: close") + request("PUT", "/x", "Transfer-Encoding: chunked"),
    "closing": request("GET", "/x", "Connection: close"),
    "nothing": b"",
}

UPLOAD = request("PUT", "/lost", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n"


async def loses_uploads(conn: Conn) -> None:
    if b"/lost" not in await conn.head():
        await conn.send(OK)


async def test_behind_an_error_the_rest_of_the_body_is_read_off(make_relay: MakeRelay) -> None:
    async with Scripted(loses_uploads) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(UPLOAD)
            error = await peer.answer()
            peer.send(b"3\r\ndef\r\n0\r\n\r\n" + request("GET", "/next"))
            answer = await peer.answer()

    assert (error.status, answer.status) == (502, 200)


async def test_a_body_that_does_not_end_soon_closes(make_relay: MakeRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "_READ_OFF_S", 0.05)
    async with Scripted(loses_uploads) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(UPLOAD)
            error = await peer.answer()
            behind = await peer.reader.read()

    assert (error.status, behind) == (502, b"")


@pytest.mark.parametrize("answered", [False, True])
async def test_a_failing_handler_is_logged_and_adds_nothing_to_an_answer(
    make_relay: MakeRelay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, answered: bool
) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"

    def fails(self: RelayHandler, request: Request, client: ClientConnection) -> bool:
        if answered:
            client.send(begun)
        raise ValueError("as tests do")

    monkeypatch.setattr(RelayHandler, "_answer_own", fails)
    rig = await make_relay(1)
    async with connected(rig.port) as peer:
        peer.send(request("GET", "/-/health"))
        got = await peer.reader.read()

    assert got == begun if answered else got.startswith(b"HTTP/1.1 500")
    assert "request_failed" in caplog.text


async def test_who_asks_on_and_reads_nothing_fills_no_memory(make_relay: MakeRelay) -> None:
    rig = await make_relay(1)
    async with connected(rig.port) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await rig.until(lambda: bool(rig.listener.connections))
        (client,) = rig.listener.connections
        assert isinstance(client, ClientConnection)
        assert client._socket is not None
        client._socket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        peer.send(request("GET", "/-/health") * 8000)
        await rig.until(lambda: client.writing_paused)
        await asyncio.sleep(0.3)
        unsent = client._socket.get_write_buffer_size()
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        answers = [await peer.answer() for _ in range(8000)]

    assert unsent < 100_000
    assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("sent", ENDS.values(), ids=ENDS.keys())
async def test_a_connection_that_is_over_is_free_without_the_collector(make_relay: MakeRelay, sent: bytes) -> None:
    """The collector comes seldom: what waits for it is memory that grows with each malformed request."""
    gc.collect()
    gc.disable()
    try:
        async with Scripted(answers(OK)) as server:
            rig = await make_relay(server.port)
            async with connected(rig.port) as peer:
                first, _, rest = sent.partition(b"|")
                if first:
                    peer.send(first)
                    if rest:
                        await rig.until(lambda: rig.count(Counter.CALLS) == 1)
                        peer.send(rest)
                    await peer.answer()
                else:
                    await rig.until(lambda: bool(rig.listener.connections))
            await rig.until(lambda: not rig.listener.connections)
            await asyncio.sleep(0.01)
        left = [found for found in gc.get_objects() if isinstance(found, ClientConnection)]
    finally:
        gc.enable()

    assert not left
