"""What the client gets of an answer, in every framing and to every kind of client."""

from __future__ import annotations

import pytest

from .conftest import MakeRelay
from .peer import ask, chat, connected, post, request
from .scripted import OK, Conn, Scripted, answers, chunked


async def answered(make_relay: MakeRelay, *raw: bytes, asked: bytes | None = None, close: bool = False):  # type: ignore[no-untyped-def]
    """The client's answer and the exchange kept, when the upstream says this."""
    async with Scripted(answers(*raw, close=close)) as server:
        rig = await make_relay(server.port)
        answer = await ask(rig.port, asked or request("GET", "/x"))
        exchange = await rig.last()
    return answer, exchange


async def test_fields_pass_in_order_with_duplicates(make_relay: MakeRelay) -> None:
    fields = b"Set-Cookie: a=1\r\nX-B:\r\nset-cookie: b=2\r\nServer: \xe9\r\nX_Litellm: 1\r\nDate: now\r\nX-B: c \r\n"
    answer, exchange = await answered(make_relay, b"HTTP/1.1 200 Fine\r\n" + fields + b"Content-Length: 2\r\n\r\n{}")

    assert fields.replace(b"X-B:\r\n", b"X-B: \r\n") == b"".join(
        b"%b: %b\r\n" % field for field in answer.fields if field[0] not in (b"Content-Length", b"x-request-id")
    ).replace(b"X-B: c\r\n", b"X-B: c \r\n")
    assert answer.raw_head.startswith(b"HTTP/1.1 200 Fine\r\n")
    assert b"a=1" not in exchange.answer_head
    assert exchange.answer_head.count(b"[struck out]") == 2


async def test_hop_by_hop_fields_and_those_connection_names_stay_here(make_relay: MakeRelay) -> None:
    fields = b"Connection: x-hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTrailer: X-T\r\nX-Kept: 1\r\n"
    answer, _ = await answered(make_relay, chunked(b"{}", fields=fields))

    assert [name for name, _ in answer.fields] == [b"X-Kept", b"Transfer-Encoding", b"x-request-id"]


@pytest.mark.parametrize("head_only", [False, True])
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", 204),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", 302),
    ],
)
async def test_answers_without_a_body_keep_the_connection(
    make_relay: MakeRelay, raw: bytes, status: int, head_only: bool
) -> None:
    async with Scripted(answers(raw)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(3):
                assert (await peer.ask(request("HEAD" if head_only else "GET", "/x"))).status == status
        await rig.ended(3)
        assert server.connections == (3 if head_only else 1)


@pytest.mark.parametrize("framing", [b"Content-Length: 700\r\n", b"Transfer-Encoding: chunked\r\n", b""])
async def test_head_passes_the_length_and_no_body(make_relay: MakeRelay, framing: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n"
    answer, exchange = await answered(make_relay, raw, asked=request("HEAD", "/x"))

    assert answer.value(b"content-length") == (b"700" if b"700" in framing else None)
    assert answer.value(b"transfer-encoding") is None
    assert exchange.finished.ending == "complete"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_body_ended_by_closing_ends_clean(make_relay: MakeRelay, version: str) -> None:
    raw = (b"HTTP/1.0 200 OK\r\nX: 1\r\n\r\n", b"abc" * 1000, b"def")
    answer, exchange = await answered(make_relay, *raw, asked=request("GET", "/x", version=version), close=True)

    assert b"".join(raw[1:]) == answer.body == exchange.answer_body
    assert exchange.finished.ending == "complete"
    assert answer.value(b"transfer-encoding") == (b"chunked" if version == "1.1" else None)


async def test_an_http_1_0_client_gets_a_stream_up_to_the_close(make_relay: MakeRelay) -> None:
    answer, _ = await answered(make_relay, chunked(b"abc", b"def"), asked=request("GET", "/x", version="1.0"))

    assert (
        answer.body,
        answer.value(b"connection"),
        answer.value(b"transfer-encoding"),
    ) == (b"abcdef", b"close", None)


async def test_http_1_0_keep_alive(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(2):
                answer = await peer.ask(request("GET", "/x", "Connection: keep-alive", version="1.0"))
                assert (answer.body, answer.value(b"connection")) == (b"{}", b"keep-alive")
            answer = await peer.ask(request("GET", "/x", version="1.0"))
            assert answer.value(b"connection") == b"close"
            assert await peer.closed()


async def test_a_client_that_wants_to_close_is_closed(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(request("GET", "/x", "Connection: close"))
            assert (answer.value(b"connection"), await peer.closed()) == (b"close", True)


async def test_the_upstreams_wish_to_close_is_not_the_clients_business(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), close=True)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(3):
                assert (await peer.ask(request("GET", "/x"))).value(b"connection") is None
        assert server.connections == 3


async def test_pipelined_requests_are_answered_in_order(make_relay: MakeRelay) -> None:
    async def echo(conn: Conn) -> None:
        while True:
            seen = await conn.request()
            await conn.send(chunked(seen.line, b"x" * 100_000))

    async with Scripted(echo) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for number in range(60):
                peer.send(post(f"/x{number}", b"{}") if number % 2 else request("GET", f"/x{number}"))
            peer.send(request("GET", "/-/health"))
            for number in range(60):
                answer = await peer.answer()
                assert answer.body.split(b" ")[1] == b"/x%d" % number
            assert b'"ok"' in (await peer.answer()).body
        await rig.ended(60)


@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
)
async def test_interim_answers_are_not_passed_on(make_relay: MakeRelay, interim: bytes) -> None:
    answer, _ = await answered(make_relay, interim, interim, OK)

    assert (answer.status, answer.body, answer.value(b"link")) == (200, b"{}", None)


async def test_trailers_are_dropped(make_relay: MakeRelay) -> None:
    raw = chunked(b"abc", end=False) + b"0\r\nX-Trailer: 1\r\n\r\n"
    async with Scripted(answers(raw)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(3):
                answer = await peer.ask(request("GET", "/x"))
                assert (answer.body, answer.value(b"x-trailer")) == (b"abc", None)
        assert server.connections == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_ten_megabytes_pass_whole_and_the_connection_is_used_again(make_relay: MakeRelay, framing: str) -> None:
    body = bytes(range(256)) * 40_000
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with Scripted(answers(chunked(body) if framing == "chunked" else raw)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(2):
                assert body == (await peer.ask(chat())).body
        exchanges = await rig.ended(2)
        assert server.connections == 1
    finished = exchanges[0].finished
    assert finished.response_bytes == len(body) == sum(size for _, size in exchanges[0].pieces)
    assert finished.answer_cut == len(body) - len(exchanges[0].answer_body)


async def test_gzip_answers_pass_untouched(make_relay: MakeRelay) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8b\x08\x00\xff"
    answer, _ = await answered(make_relay, raw, asked=chat("Accept-Encoding: gzip"))

    assert (answer.body, answer.value(b"content-encoding")) == (b"\x1f\x8b\x08\x00\xff", b"gzip")
