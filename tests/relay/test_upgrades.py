"""An offer of h2c is ignored, as HTTP allows: Java's client makes it with every call. Other upgrades are refused."""

from __future__ import annotations

import asyncio

from .conftest import MakeRelay
from .peer import connected
from .scripted import Scripted, answers

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY = b'{"model": "chat", "messages": []}'
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: localhost\r\n"
    b"Content-Length: %d\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nUpgrade: h2c\r\nUser-Agent: Java-http-client/21\r\n\r\n"
) % len(BODY)


async def test_an_offer_of_h2c_is_an_ordinary_call(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            together = await peer.ask(HEAD + BODY)
            peer.send(HEAD)
            await asyncio.sleep(0.05)
            peer.send(BODY[:10])
            await asyncio.sleep(0.05)
            apart = await peer.ask(BODY[10:])

    assert [together.status, apart.status] == [200, 200]
    assert [seen.body for seen in server.seen] == [BODY, BODY]
    names = {name.lower() for seen in server.seen for name, _ in seen.fields}
    assert not names & {b"upgrade", b"connection", b"http2-settings"}
    assert [exchange.finished.model for exchange in await rig.ended(2)] == ["chat", "chat"]


async def test_connection_cannot_hide_a_transfer_coding(make_relay: MakeRelay) -> None:
    raw = (
        b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nConnection: transfer-encoding, x-y\r\n"
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
    )
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(raw)

    assert (answer.status, server.seen) == (400, [])
