"""Upstreams that refuse, break, lie or fall silent: an error that says what happened, or a visibly broken answer."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from proxy.core.exchange import Exchange
from proxy.standin.server import StandIn

from .conftest import MakeRelay
from .peer import CHAT, Answer, BrokenAnswerError, ask, chat, connected, post, reading, request
from .rig import Rig, upstream
from .scripted import OK, Conn, Scripted, chunked

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000\r\n\r\n"


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def says(answer: Answer, exchange: Exchange, status: int, code: str, ending: str = "upstream_failed") -> None:
    error = answer.error
    assert (status, code) == (answer.status, error["code"])
    finished = exchange.finished
    assert (status, code, ending, error["request_id"], error["message"]) == (
        finished.status, finished.error_code, finished.ending, finished.request_id, finished.error_message
    )  # fmt: skip


async def test_refused(make_relay: MakeRelay) -> None:
    rig = await make_relay(closed_port())
    answer = await ask(rig.port, chat("x-request-id: mine"))

    says(answer, await rig.last(), 502, "upstream_connect_failed")
    assert answer.error["request_id"] == "mine"
    assert "refused" in answer.error["message"]
    assert "127.0.0.1" not in answer.error["message"]


async def test_a_name_that_does_not_exist(make_relay: MakeRelay) -> None:
    rig = await make_relay((upstream(1, host="no-such-host.invalid", connect_s=5.0),))

    says(await ask(rig.port, chat()), await rig.last(), 502, "upstream_connect_failed")


async def test_no_connection_in_time(make_relay: MakeRelay) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        rig = await make_relay((upstream(full.getsockname()[1], connect_s=0.2),))
        says(await ask(rig.port, chat()), await rig.last(), 504, "upstream_connect_timeout", "timeout")
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("close-before-head", 502, "upstream_closed"),
        ("reset-before-head", 502, "upstream_reset"),
        ("close-mid-head", 502, "upstream_closed"),
        ("bad-head", 502, "upstream_malformed"),
        ("bad-head:long", 502, "upstream_malformed"),
        ("old-http", 502, "upstream_malformed"),
    ],
)
async def test_no_answer(relay: Rig, fault: str, status: int, code: str) -> None:
    says(await ask(relay.port, chat(f"x-stand-in: fault={fault}")), await relay.last(), status, code)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", ["close-mid-stream", "reset-mid-stream", "reset-mid-chunk", "bad-chunk"])
async def test_an_answer_that_breaks_off_is_seen_broken(relay: Rig, fault: str, stream: bool) -> None:
    async with connected(relay.port) as peer:
        try:
            answer = await peer.ask(chat(f"x-stand-in: fault={fault}", stream=stream))
            sent = answer.status  # nothing was passed on yet, as it all came in one read
            assert answer.error["code"] == "upstream_malformed"
        except BrokenAnswerError:
            sent = 200
    finished = (await relay.last()).finished

    assert finished.ending == "upstream_failed"
    assert finished.error_code in ("upstream_broke_off", "upstream_malformed")
    assert (sent, 200) == (finished.status, finished.upstream_status)


async def test_a_length_that_promises_too_much_is_seen_broken(relay: Rig) -> None:
    async with connected(relay.port) as peer:
        peer.send(chat("x-stand-in: fault=short-length:10"))
        with pytest.raises(BrokenAnswerError):
            await peer.answer()

    assert (await relay.last()).finished.error_code == "upstream_broke_off"


async def test_an_http_1_0_client_sees_a_reset_where_an_end_would_look_clean(relay: Rig) -> None:
    async with connected(relay.port) as peer:
        body = {**CHAT, "stream": True}
        peer.send(post("/v1/chat/completions", body, "x-stand-in: fault=close-mid-stream", version="1.0"))
        assert (await peer.head()).value(b"content-length") is None
        with pytest.raises(ConnectionError):
            await peer.reader.read()


async def test_a_clean_end_in_mid_stream_passes_as_clean(relay: Rig) -> None:
    answer = await ask(relay.port, chat("x-stand-in: fault=clean-end-mid-stream", stream=True))

    assert b"[DONE]" not in answer.body
    assert (await relay.last()).finished.ending == "complete"


async def test_mute_before_the_head(stand_in: StandIn, make_relay: MakeRelay) -> None:
    rig = await make_relay((upstream(stand_in.port, first_byte_s=0.3),))
    began = time.monotonic()
    answer = await ask(rig.port, chat("x-stand-in: fault=mute"))

    says(answer, await rig.last(), 504, "upstream_first_byte_timeout", "timeout")
    assert time.monotonic() - began > 0.29
    await rig.until(lambda: stand_in.stats.cancelled == 1)


@pytest.mark.parametrize(
    "raw",
    [
        chunked(b"abc", end=False),
        LENGTH + b"abc",
        b"HTTP/1.1 200 OK\r\n\r\nabc",
        chunked(b"abc", end=False) + b"5\r\nab",
    ],
)
@pytest.mark.parametrize("injected", [True, False])
async def test_mute_inside_the_answer(make_relay: MakeRelay, raw: bytes, injected: bool) -> None:
    async def stalls(conn: Conn) -> None:
        await conn.request()
        await conn.send(raw)
        await conn.left()

    async with Scripted(stalls) as server:
        rig = await make_relay((upstream(server.port, between_bytes_s=0.2),))
        async with connected(rig.port) as peer:
            if injected and raw.startswith(LENGTH):  # held whole until its length is known: nothing was sent yet
                says(
                    await peer.ask(chat(stream=True)),
                    await rig.last(),
                    504,
                    "upstream_between_bytes_timeout",
                    "timeout",
                )
            else:
                peer.send(chat(stream=injected))
                with pytest.raises(BrokenAnswerError):
                    await peer.answer()
                finished = (await rig.last()).finished
                assert (finished.ending, finished.error_code) == ("timeout", "upstream_between_bytes_timeout")
        await asyncio.wait_for(server.left.wait(), 30)


async def test_a_slow_upstream_that_keeps_talking_is_no_mute_one(make_relay: MakeRelay) -> None:
    async def drips(conn: Conn) -> None:
        await conn.request()
        for at in range(0, len(OK), 2):
            await conn.send(OK[at : at + 2])
            await asyncio.sleep(0.05)

    async with Scripted(drips) as server:
        rig = await make_relay((upstream(server.port, between_bytes_s=0.8, first_byte_s=0.8),))
        assert (await ask(rig.port, chat())).status == 200


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("then", ["close", "keep", "read on"])
async def test_an_early_answer_stops_the_upload_and_is_passed_on(
    make_relay: MakeRelay, framing: str, then: str
) -> None:
    async def early(conn: Conn) -> None:
        await conn.head()
        await conn.send(b"HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\n\r\nmuch")
        if then == "close":
            await asyncio.sleep(0.05)
            conn.close()
        elif then == "read on":
            await conn.left()
        else:
            await asyncio.sleep(1)

    async with Scripted(early) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            if framing == "length":
                peer.send(request("POST", "/api/blobs/sha256:1", "Content-Length: 90000000"))
            else:
                peer.send(request("POST", "/api/blobs/sha256:1", "Transfer-Encoding: chunked") + b"ffffff\r\n")
            peer.send(b"x" * 3_000_000)
            answer = await peer.answer()
            exchange = await rig.last()

    assert (answer.status, answer.body) == (413, b"much")
    assert (exchange.finished.ending, exchange.finished.upstream_status) == ("complete", 413)


async def test_an_early_answer_of_the_stand_in(relay: Rig) -> None:
    async with connected(relay.port) as peer:
        peer.send(
            request(
                "POST", "/api/blobs/sha256:" + "0" * 64, "Content-Length: 50000000", "x-stand-in: fault=early-reply:413"
            )
        )
        peer.send(b"x" * 1_000_000)
        assert (await peer.answer()).status == 413


async def test_an_upload_that_nobody_reads_ends_in_time(make_relay: MakeRelay) -> None:
    async def deaf(conn: Conn) -> None:
        reading(conn.writer).pause_reading()
        await asyncio.sleep(10)

    async with Scripted(deaf, receive_bytes=65536) as server:
        rig = await make_relay((upstream(server.port, first_byte_s=0.6),))
        body: dict[str, Any] = {"model": "a", "x": "x" * 20_000_000}
        answer = await ask(rig.port, post("/v1/chat/completions", body))

        says(answer, await rig.last(), 504, "upstream_first_byte_timeout", "timeout")
