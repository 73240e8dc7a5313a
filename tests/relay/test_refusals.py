"""What the relay answers itself: requests that could be read in two ways, foreign hosts, limits, health, draining."""

from __future__ import annotations

import asyncio
import json

import pytest

from proxy import __version__
from proxy.core.config import Limits
from proxy.journal.counters import Counter
from proxy.standin.server import StandIn

from .conftest import MakeRelay
from .peer import ask, chat, connected, post, request
from .rig import Rig
from .scripted import OK, Conn, Scripted, answers

HOST = b"Host: localhost\r\n"
GET = b"GET /x HTTP/1.1\r\n"
POST = b"POST /x HTTP/1.1\r\n" + HOST
MALFORMED = {
    "no http": b"hello\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    "unknown method": b"BREW /x HTTP/1.1\r\n" + HOST + b"\r\n",
    "lower case method": b"get /x HTTP/1.1\r\n" + HOST + b"\r\n",
    "http/0.9": b"GET /x\r\n\r\n",
    "version 0.9": b"GET /x HTTP/0.9\r\n" + HOST + b"\r\n",
    "version 2.0": b"GET /x HTTP/2.0\r\n" + HOST + b"\r\n",
    "version 1.2": b"GET /x HTTP/1.2\r\n" + HOST + b"\r\n",
    "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": GET + b"\r\n",
    "two hosts": GET + HOST + b"Host: localhost\r\n\r\n",
    "bare LF": b"GET /x HTTP/1.1\nHost: localhost\n\n",
    "folded line": GET + HOST + b"X: a\r\n b\r\n\r\n",
    "NUL": GET + HOST + b"X: a\0b\r\n\r\n",
    "bare CR": GET + HOST + b"X: a\rb\r\n\r\n",
    "space in a name": GET + HOST + b"X A: b\r\n\r\n",
    "space before the colon": GET + HOST + b"X : b\r\n\r\n",
    "no colon": GET + HOST + b"X\r\n\r\n",
    "bytes beyond ASCII in the target": b"GET /caf\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "length and chunked": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "the same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "gzip": POST + b"Transfer-Encoding: gzip\r\n\r\nabc",
    "gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked, chunked": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST /x HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("kind", MALFORMED)
async def test_a_malformed_request_gets_one_400_and_the_connection_closes(make_relay: MakeRelay, kind: str) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(MALFORMED[kind] + GET + HOST + b"\r\n")
            assert (answer.status, answer.error["code"], answer.value(b"connection")) == (400, "bad_request", b"close")
            assert await peer.closed()
        assert server.seen == []
        assert rig.count(Counter.UNFRAMED) + rig.count(Counter.ENDED) == 1


TOO_LONG = {
    "a long line": (414, "target_too_long", b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a long line without end": (414, "target_too_long", b"GET /" + b"x" * 40_000),
    "a long field": (431, "head_too_large", GET + HOST + b"X: " + b"y" * 40_000 + b"\r\n\r\n"),
    "a long field without end": (431, "head_too_large", GET + HOST + b"X: " + b"y" * 40_000),
    "a long name": (431, "head_too_large", GET + HOST + b"y" * 40_000 + b": x\r\n\r\n"),
    "a long head of short fields": (431, "head_too_large", GET + HOST + (b"X: " + b"y" * 990 + b"\r\n") * 34 + b"\r\n"),
    "101 fields": (431, "head_too_large", GET + HOST + b"X: y\r\n" * 100 + b"\r\n"),
}


@pytest.mark.parametrize("kind", TOO_LONG)
async def test_a_head_that_is_too_long_is_refused(make_relay: MakeRelay, kind: str) -> None:
    status, code, raw = TOO_LONG[kind]
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(raw)
            assert (answer.status, answer.error["code"], answer.value(b"connection")) == (status, code, b"close")
            assert await peer.closed()
        assert server.seen == []
        assert rig.count(Counter.UNFRAMED) == 1


async def test_a_head_at_its_bounds_passes(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        assert (await ask(rig.port, GET + HOST + b"X: y\r\n" * 99 + b"\r\n")).status == 200
        raw = GET + HOST + b"X: "
        assert (await ask(rig.port, raw + b"y" * (32 * 1024 - len(raw) - 4) + b"\r\n\r\n")).status == 200


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"GET http://localhost/x HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_target"),
        (b"GET http://localhost/-/health HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_target"),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_target"),
        (b"GET /x#y HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_target"),
        (b"GET /x?a=# HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad_target"),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 501, "not_supported"),
        (b"TRACE /x HTTP/1.1\r\n" + HOST + b"\r\n", 501, "not_supported"),
        (GET + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", 501, "not_supported"),
        (POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 30\r\n\r\n" + GET, 501, "not_supported"),
        (GET + b"Host: evil.example.com\r\n\r\n", 403, "host_refused"),
        (GET + b"Host: localhost:x\r\n\r\n", 400, "bad_host"),
        (GET + b"Host: localhost@evil.com\r\n\r\n", 400, "bad_host"),
    ],
)
async def test_what_is_not_forwarded_says_why_and_closes(
    make_relay: MakeRelay, raw: bytes, status: int, code: str
) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(raw)
            assert (status, code, b"close") == (answer.status, answer.error["code"], answer.value(b"connection"))
            assert await peer.closed()
        assert server.seen == []
        exchange = await rig.last()
        assert ("refused", code, status) == (
            exchange.finished.ending, exchange.finished.error_code, exchange.finished.status
        )  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/blobs/sha256:1"])
async def test_a_malformed_chunked_body_gets_one_400(make_relay: MakeRelay, path: str) -> None:
    async def reads(conn: Conn) -> None:
        await conn.head()
        await conn.left()

    async with Scripted(reads) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(request("POST", path, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
            await rig.until(lambda: rig.count(Counter.CALLS) == 1)
            await asyncio.sleep(0.02)
            peer.send(b"zz\r\n")
            answer = await peer.answer()
            assert (answer.status, answer.error["code"], answer.value(b"connection")) == (400, "bad_request", b"close")
            assert await peer.closed()
        assert (await rig.last()).finished.ending == "refused"


@pytest.mark.parametrize("how", ["with the head", "after the head", "announced", "chunked"])
async def test_a_body_over_the_limit_is_refused(make_relay: MakeRelay, how: str) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, limits=Limits(body_bytes=1000))
        async with connected(rig.port) as peer:
            raw = post("/v1/chat/completions", b"x" * 1001)
            if how == "announced":
                raw = raw[: raw.index(b"\r\n\r\n") + 4]
            elif how == "chunked":
                raw = request("POST", "/v1/chat/completions", "Transfer-Encoding: chunked") + b"3e9\r\n" + b"x" * 1001
            cut = 30 if how == "after the head" else len(raw)
            peer.send(raw[:cut])
            await asyncio.sleep(0.02)
            peer.send(raw[cut:])
            answer = await peer.answer()
            assert (answer.status, answer.error["code"]) == (413, "request_too_large")
        assert (await ask(rig.port, post("/v1/chat/completions", b"x" * 1000))).status == 200
        assert (await ask(rig.port, post("/api/blobs/sha256:1", b"x" * 5000))).status == 200


async def test_a_head_of_error_has_no_body(make_relay: MakeRelay) -> None:
    rig = await make_relay(1)
    async with connected(rig.port) as peer:
        assert (await peer.ask(request("HEAD", "/x"))).status == 502
        assert (await peer.ask(request("HEAD", "/-/nothing"))).status == 404
        assert (await peer.ask(request("HEAD", "/-/health"))).status == 200
        assert (await peer.ask(request("GET", "/-/health"))).body


async def test_health(relay: Rig) -> None:
    async with connected(relay.port) as peer:
        peer.send(chat("x-stand-in: fault=mute"))
        await relay.until(lambda: relay.count(Counter.CALLS) == 1)
        health = json.loads((await ask(relay.port, request("GET", "/-/health?x=1"))).body)
        expected = {"status": "ok", "service": "sightglass", "version": __version__, "worker": 0, "active": 1}
        assert {**expected, "journal": "direct"} == health
        peer.leave()
        await relay.ended(1)


@pytest.mark.parametrize("path", ["/-/", "/-/health/", "/-/metrics", "/-/../v1/models"])
async def test_nothing_else_is_there(relay: Rig, stand_in: StandIn, path: str) -> None:
    async with connected(relay.port) as peer:
        answer = await peer.ask(post(path, b"{}"))
        assert (answer.status, answer.error["code"]) == (404, "not_found")
        assert (await peer.ask(request("GET", "/-/health"))).status == 200

    assert (relay.count(Counter.CALLS), stand_in.stats.requests) == (0, 0)


async def test_draining_refuses_new_calls_and_lets_the_running_ones_finish(make_relay: MakeRelay) -> None:
    async def slow(conn: Conn) -> None:
        seen = await conn.request()
        await conn.send(OK[:-2] + seen.body[:2])

    async with Scripted(slow) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as running, connected(rig.port) as idle, connected(rig.port) as later:
            raw = post("/api/blobs/sha256:1", b"ab" * 50)
            running.send(raw[:-50])
            await rig.until(lambda: rig.count(Counter.UPSTREAM_BUSY) == 1)
            rig.handler.draining = True
            answer = await later.ask(chat())
            assert (
                answer.status, answer.error["code"], answer.value(b"connection"), answer.value(b"retry-after")
            ) == (503, "shutting_down", b"close", b"1")  # fmt: skip
            assert (await ask(rig.port, request("GET", "/-/health"))).status == 503
            rig.listener.stop_idle()
            assert await idle.closed()
            running.send(raw[-50:])  # a body under way is still taken
            assert (await running.answer()).body == b"ab"
            assert await running.closed()
