"""The requests of one connection: what one leaves unread does not disturb the next."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.relay import incoming
from proxy.relay.handler import RelayHandler
from proxy.relay.listener import ClientConnection
from proxy.relay.request import Request

from .conftest import MakeRelay
from .peer import connected, request
from .scripted import OK, Conn, Scripted

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
