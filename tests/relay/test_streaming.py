"""Pieces arrive as they come, and the usage event that only we asked for is taken out however it is cut."""

from __future__ import annotations

import asyncio

import pytest

from proxy.standin.server import StandIn

from .conftest import MakeRelay
from .peer import chat, connected, post
from .rig import Rig, upstream
from .scripted import Conn, Scripted, answers, chunked

EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
    'data: {"choices":[{"index":0,"delta":{"content":"é 🙂 \\"usage\\""}}]}\n\n'.encode(),
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
)
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"
WANTED = b"".join(EVENTS) + DONE
ASKED = b'"stream_options":{"include_usage":true}'


async def test_pieces_come_as_they_are_sent(make_relay: MakeRelay) -> None:
    """None waits for the next one: the upstream says each only when the client has the one before."""
    had: asyncio.Queue[bytes] = asyncio.Queue()

    async def patient(conn: Conn) -> None:
        await conn.request()
        await conn.send(chunked(EVENTS[0], end=False))
        for event in (*EVENTS[1:], USAGE, DONE):
            if event != DONE:  # the usage before it does not come through
                await had.get()
            await conn.send(b"%x\r\n%b\r\n" % (len(event), event))
        await conn.send(b"0\r\n\r\n")

    async with Scripted(patient) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            came = []
            peer.send(chat(stream=True))
            await peer.head()
            async with asyncio.timeout(30):
                async for piece in peer.chunks():
                    came.append(piece)
                    had.put_nowait(piece)
        exchange = await rig.last()

    assert [*EVENTS, DONE] == came
    times = [at for at, _ in exchange.pieces]
    assert times == sorted(set(times))
    assert len(times) >= len(EVENTS) + 1


@pytest.mark.parametrize("together", [1, 2, 3, 7, 50, 1000])
async def test_usage_is_taken_out_of_a_stream_cut_anywhere(make_relay: MakeRelay, together: int) -> None:
    raw = chunked(*EVENTS, USAGE, DONE)
    cut = [raw[at : at + together] for at in range(0, len(raw), together)]

    async def drip(conn: Conn) -> None:
        await conn.request()
        for part in cut:
            await conn.send(part)
            await asyncio.sleep(0)
        await conn.request()
        await conn.send(raw)

    async with Scripted(drip) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            assert (await peer.ask(chat(stream=True))).body == WANTED
            assert (await peer.ask(chat(stream=True))).body == WANTED
        exchanges = await rig.ended(2)

    assert [ASKED in seen.body for seen in server.seen] == [True, True]
    assert b"".join((*EVENTS, USAGE, DONE)) == exchanges[0].answer_body
    assert exchanges[0].finished.response_bytes == len(WANTED)
    assert exchanges[0].finished.injected


@pytest.mark.parametrize("size", [1, 5, 30])
async def test_chunks_that_cut_events_are_joined(make_relay: MakeRelay, size: int) -> None:
    whole = b"".join((*EVENTS, USAGE, DONE))
    async with Scripted(answers(chunked(*[whole[at : at + size] for at in range(0, len(whole), size)]))) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            assert (await peer.ask(chat(stream=True))).body == WANTED


@pytest.mark.parametrize("padding", [0, 1_100_000])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_an_event_stream_with_a_length_gets_the_right_length(
    make_relay: MakeRelay, padding: int, version: str
) -> None:
    comment = b":" + b"x" * padding + b"\n\n"
    body = comment + b"".join((*EVENTS, USAGE, DONE))
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with Scripted(answers(raw, body[:100], body[100:])) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            asked = post("/v1/chat/completions", {"model": "a", "stream": True}, version=version)
            answer = await peer.ask(asked)

    assert comment + WANTED == answer.body
    assert answer.value(b"content-length") == (None if padding else b"%d" % len(answer.body))


@pytest.mark.parametrize(
    "options", [{"include_usage": True}, {"include_usage": False}, {"include_usage": None}, [], "x", 1]
)
async def test_a_client_that_said_something_itself_is_left_alone(make_relay: MakeRelay, options: object) -> None:
    raw = chat(stream=True, stream_options=options)
    async with Scripted(answers(chunked(*EVENTS, USAGE, DONE))) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(raw)

    assert b"".join((*EVENTS, USAGE, DONE)) == answer.body
    assert raw.endswith(server.seen[0].body)


@pytest.mark.parametrize("refusal", [400, 422])
async def test_an_upstream_that_refuses_the_wish_is_asked_without_and_that_is_remembered(
    make_relay: MakeRelay, refusal: int
) -> None:
    async def picky(conn: Conn) -> None:
        while True:
            seen = await conn.request()
            if ASKED in seen.body:
                await conn.send(b"HTTP/1.1 %d No\r\nContent-Length: 5\r\n\r\nno!!!" % refusal)
            else:
                await conn.send(chunked(*EVENTS, DONE))

    async with Scripted(picky) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(3):
                answer = await peer.ask(chat(stream=True))
                assert (answer.status, answer.body) == (200, WANTED)
        first, second, _ = await rig.ended(3)

    assert [ASKED in seen.body for seen in server.seen] == [True, False, False, False]
    assert (first.finished.attempts, first.finished.injected, first.finished.upstream_status) == (2, False, 200)
    assert second.finished.attempts == 1
    assert first.answer_body == WANTED


async def test_one_models_refusal_is_not_anothers(make_relay: MakeRelay) -> None:
    async def picky(conn: Conn) -> None:
        while True:
            body = (await conn.request()).body
            if ASKED in body and b'"model": "old"' in body:
                await conn.send(b"HTTP/1.1 400 No\r\nContent-Length: 5\r\n\r\nno!!!")
            else:
                await conn.send(chunked(*EVENTS, *([USAGE] if ASKED in body else []), DONE))

    async with Scripted(picky) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for model in ("old", "new", "old", "new"):
                assert (await peer.ask(chat(model=model, stream=True))).body == WANTED

    assert [ASKED in seen.body for seen in server.seen] == [True, False, True, False, True]


@pytest.mark.parametrize("second", [400, 429, 503])
async def test_a_refusal_of_another_kind_is_passed_on_and_not_taken_for_one_of_the_wish(
    make_relay: MakeRelay, second: int
) -> None:
    async def refusing(conn: Conn) -> None:
        while True:
            status = 400 if ASKED in (await conn.request()).body else second
            await conn.send(b"HTTP/1.1 %d No\r\nContent-Length: 5\r\n\r\nno!!!" % status)

    async with Scripted(refusing) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(2):
                answer = await peer.ask(chat(stream=True))
                assert (second, b"no!!!") == (answer.status, answer.body)

    assert [ASKED in seen.body for seen in server.seen] == [True, False, True, False]


@pytest.mark.parametrize(
    "fields", [b"Content-Type: text/plain\r\n", b"", b"Content-Type: application/octet-stream\r\n"]
)
async def test_the_usage_event_is_taken_out_under_any_type(make_relay: MakeRelay, fields: bytes) -> None:
    """SDKs read events without a look at the type: so must we."""
    async with Scripted(answers(chunked(*EVENTS, USAGE, DONE, fields=fields))) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            answer = await peer.ask(chat(stream=True))
        exchange = await rig.last()

    assert answer.body == WANTED
    assert USAGE in exchange.answer_body


async def test_a_compressed_stream_is_asked_for_again_without_the_wish(make_relay: MakeRelay) -> None:
    fields = b"Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
    async with Scripted(answers(chunked(b"\x1f\x8bnot for us", fields=fields))) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for _ in range(2):
                assert (await peer.ask(chat("Accept-Encoding: gzip", stream=True))).body == b"\x1f\x8bnot for us"

    assert [ASKED in seen.body for seen in server.seen] == [True, False, False]


async def test_injection_can_be_switched_off(stand_in: StandIn, make_relay: MakeRelay) -> None:
    rig = await make_relay((upstream(stand_in.port),), inject_usage=False)
    async with connected(rig.port) as peer:
        answer = await peer.ask(chat(stream=True))
    exchange = await rig.last()

    assert b'"usage"' not in answer.body == exchange.answer_body
    assert not exchange.finished.injected


@pytest.mark.parametrize("path", ["/v1/embeddings", "/api/chat", "/v1/messages", "/v1/responses", "/v2/other"])
async def test_other_paths_are_never_added_to(make_relay: MakeRelay, path: str) -> None:
    raw = post(path, {"model": "a", "stream": True})
    async with Scripted(answers(chunked(USAGE))) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            assert (await peer.ask(raw)).body == USAGE

    assert raw.endswith(server.seen[0].body)


async def test_plain_calls_pass_untouched(relay: Rig) -> None:
    async with connected(relay.port) as peer:
        answer = await peer.ask(chat())
    exchange = await relay.last()

    assert answer.body == exchange.answer_body
    assert (
        exchange.finished.model, exchange.finished.stream, exchange.finished.ending, exchange.finished.status
    ) == ("chat", None, "complete", 200)  # fmt: skip
