"""Connection names fields of this hop: they go; what frames, addresses or is ours stays right."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay
from tests.relay.peer import connected

from .recorder import GET, LAST, POST, Recorder, hold, passes, refused

CASES = {
    "named fields": passes(
        GET + b"Connection: x-a, X-B\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\n\r\n", b"GET /x HTTP/1.1\r\nX-C: 3\r\n\r\n"
    ),
    "named in a later line": passes(
        GET + b"X-A: 1\r\nConnection: keep-alive\r\nConnection: x-a\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"
    ),
    "forwarded fields": passes(
        GET + b"Connection: x-forwarded-host\r\nX-Forwarded-Host: evil\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"
    ),
    "credentials": passes(
        GET + b"Connection: authorization\r\nAuthorization: Bearer x\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"
    ),
    "host": passes(GET + b"Connection: host\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"),
    "length": passes(
        POST + b"Connection: content-length, close-notify\r\nContent-Length: 2\r\n\r\nab",
        b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    ),
    "coding": passes(
        POST + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n" + LAST,
        b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    ),
    "itself": passes(GET + b"Connection: connection\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"),
    "nothing": passes(GET + b"Connection: , ,\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"),
    "other hop's fields": passes(
        GET + b"Keep-Alive: 5\r\nTE: trailers\r\nTrailer: x\r\nProxy-Connection: a\r\nProxy-Authorization: b\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",
    ),
    "control bytes": refused(GET + b"Connection: x\0y\r\n\r\n"),
}


@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: close, keep-alive\r\n",
        b"Connection: keep-alive,  Close\r\n",
        b"Connection: keep-alive\r\nConnection: close\r\n",
        b"Connection: close\r\nConnection: keep-alive\r\n",
        b"Connection: keep-alive, x-a\r\nX-A: 1\r\nConnection: close\r\n",  # found by bench.fuzz
        b"Connection: close\r\nX-A: 1\r\nConnection: x-a\r\nConnection: keep-alive\r\n",
    ],
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_close_comes_before_keep_alive(make_relay: MakeRelay, version: bytes, fields: bytes) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        async with connected(rig.port) as peer:
            peer.send(b"GET /x HTTP/%b\r\nHost: localhost\r\n%b\r\n" % (version, fields))
            answer = await peer.answer()
            assert await peer.closed()

    assert answer.value(b"connection") == b"close"


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_what_connection_names_goes_and_nothing_else(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
