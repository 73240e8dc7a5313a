"""Upgrades, tunnels and other protocols: refused, and what follows is not read as a request."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import END, GET, HOST, LAST, NEXT, POST, Recorder, hold, passes, refused

CASES = {
    "websocket": refused(GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", 501, "not_supported"),
    "websocket with a body": refused(
        POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab", 501, "not_supported"
    ),
    "websocket with a request as its body": refused(
        POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 45\r\n\r\n" + NEXT, 501, "not_supported"
    ),
    "websocket with chunks": refused(
        POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n" + LAST,
        501,
        "not_supported",
    ),
    "websocket and h2c": refused(GET + b"Connection: upgrade\r\nUpgrade: h2c, websocket\r\n\r\n", 501, "not_supported"),
    "websocket without Connection": refused(GET + b"Upgrade: websocket\r\n\r\n", 501, "not_supported"),
    "tls by upgrade": refused(GET + b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n\r\n", 501, "not_supported"),
    "odd bytes": refused(GET + b"Connection: upgrade\r\nUpgrade: \xff\r\n\r\n", 501, "not_supported"),
    "the old websocket": refused(GET + b"Connection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key1: 1\r\n\r\n"),
    "h2c offered": passes(
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",
    ),
    "h2c offered with a body": passes(
        POST
        + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nContent-Length: 2\r\n\r\nab",
        b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    ),
    "h2c offered with chunks": passes(
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n" + LAST,
        b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    ),
    "http/2 at once": refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "its first line in HTTP/1.1": refused(b"PRI * HTTP/1.1\r\n" + HOST + END),
    "connect": refused(b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + END, 501, "not_supported"),
    "connect with a path": refused(b"CONNECT /x HTTP/1.1\r\n" + HOST + END, 501, "not_supported"),
    "connect with a body": refused(
        b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nab", 501, "not_supported"
    ),
    "trace": refused(b"TRACE /x HTTP/1.1\r\n" + HOST + END, 501, "not_supported"),
    "tls": refused(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"x" * 50),
    "sslv2": refused(b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10"),
    "ssh": refused(b"SSH-2.0-OpenSSH_9.0\r\n"),
    "smtp": refused(b"EHLO localhost\r\n"),
    "redis": refused(b"*1\r\n$4\r\nPING\r\n"),
    "zeros": refused(b"\0" * 20),
    "the proxy protocol": refused(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + GET + END),
    "the proxy protocol, second": refused(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\x7f\0\0\1" * 3),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_no_other_protocol_begins(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
