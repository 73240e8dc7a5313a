"""HTTP/1.0 clients, and who closes when."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay
from tests.relay.peer import connected, post, request
from tests.relay.scripted import OK, Scripted, answers, chunked


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (request("GET", "/x"), True),
        (request("GET", "/x", "Connection: close"), False),
        (request("GET", "/x", "Connection: Close, x-y"), False),
        (request("GET", "/x", "Connection: keep-alive"), True),
        (request("GET", "/x", version="1.0"), False),
        (request("GET", "/x", "Connection: keep-alive", version="1.0"), True),
        (request("GET", "/x", "Connection: close", version="1.0"), False),
        (b"GET /x HTTP/1.0\r\n\r\n", False),
        (b"POST /x HTTP/1.0\r\n\r\n", False),
        (request("HEAD", "/x"), True),
        (request("HEAD", "/x", version="1.0"), False),
        (post("/x", b"abc", version="1.0"), False),
    ],
)
async def test_a_connection_is_kept_as_its_version_says(make_relay: MakeRelay, raw: bytes, kept: bool) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(raw)
            assert answer.status == 200
            if kept:
                expected = b"keep-alive" if b"HTTP/1.0" in raw else None
                assert answer.value(b"connection") == expected
                assert (await peer.ask(request("GET", "/y"))).status == 200
            else:
                assert answer.value(b"connection") == b"close"
                assert await peer.closed()


async def test_a_body_without_length_behind_http_1_0_is_no_request(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(b"POST /x HTTP/1.0\r\n\r\n" + request("GET", "/evil"))
            assert (await peer.answer()).status in (200, 400)
            assert await peer.closed()
        assert not [seen for seen in server.seen if b"/evil" in seen.line]


async def test_chunks_of_the_upstream_reach_http_1_0_as_plain_bytes(make_relay: MakeRelay) -> None:
    async with Scripted(answers(chunked(b"abc", b"def"))) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(request("GET", "/x", "Connection: keep-alive", version="1.0"))
            assert (answer.body, answer.value(b"transfer-encoding"), answer.value(b"connection")) == (
                b"abcdef",
                None,
                b"close",
            )
            assert await peer.closed()


async def test_nothing_is_added_on_the_way(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(request("GET", "/x"))
    assert {name.lower() for name, _ in server.seen[0].fields} <= {b"host", b"traceparent"}
    assert [name for name, _ in answer.fields] == [b"Content-Type", b"Content-Length", b"x-request-id"]
