"""Each fault does at the socket what its name says."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from proxy.standin import faults
from proxy.standin.server import StandIn

from .peer import ask, body_of, chat, get, peer, post, until

STREAM: dict[str, Any] = {"stream": True}


async def everything(stand_in: StandIn, request: bytes) -> tuple[bytes, str]:
    """What comes until the server ends the connection, and how it ends it."""
    got = b""
    async with peer(stand_in) as one:
        one.send(request)
        try:
            while piece := await one.some(0.3):
                got += piece
        except ConnectionResetError:
            return got, "reset"
        except TimeoutError:
            return got, "open"
        return got, "closed"


@pytest.mark.parametrize("body", [{}, STREAM])
@pytest.mark.parametrize(
    ("fault", "end", "start"),
    [
        ("mute", "open", b""),
        ("close-before-head", "closed", b""),
        ("reset-before-head", "reset", b""),
        ("mute-after-head", "open", b"HTTP/1.1 200 OK\r\n"),
        ("close-mid-head", "closed", b"HTTP/1.1 200 OK\r\n"),
        ("bad-head", "closed", b"HTTP/1.1 2OO OK\r\n"),
        ("old-http", "closed", b'{"id":'),
        ("stall-mid-stream", "open", b"HTTP/1.1 200 OK\r\n"),
        ("close-mid-stream", "closed", b"HTTP/1.1 200 OK\r\n"),
        ("reset-mid-stream", "reset", b"HTTP/1.1 200 OK\r\n"),
        ("reset-mid-chunk", "reset", b"HTTP/1.1 200 OK\r\n"),
        ("bad-chunk", "closed", b"HTTP/1.1 200 OK\r\n"),
    ],
)
async def test_what_never_becomes_a_whole_answer(
    stand_in: StandIn, fault: str, end: str, start: bytes, body: dict[str, Any]
) -> None:
    got, ended = await everything(stand_in, chat(stand_in=f"fault={fault}", **body))

    assert end == ended
    assert got.startswith(start)
    assert b"[DONE]" not in got
    assert stand_in.stats.completed == 0
    await until(stand_in, "cancelled" if end == "open" else "broken")


async def test_a_stream_breaks_after_as_many_tokens_as_told(stand_in: StandIn) -> None:
    for after in (0, 1, 7):
        got, _ = await everything(stand_in, chat(stand_in=f"fault=reset-mid-stream;after={after}", **STREAM))

        assert after == got.count(b'"delta"')


async def test_a_clean_end_in_mid_stream_lacks_finish_and_done_and_keeps_the_connection(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(chat(stand_in="fault=clean-end-mid-stream;after=4", **STREAM))
        got = await one.answer()
        one.send(chat())

        assert got.count(b'"delta"') == 4
        assert b'"finish_reason":"' not in got
        assert got.endswith(b"\r\n0\r\n\r\n")
        assert b"200 OK" in await one.answer()


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/v1/chat/completions", b'"model":"","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{'),
        ("/v1/completions", b'"choices":[{"text":"","index":0,"finish_reason":null}],"model":""'),
        ("/api/chat", b'{"error":"an error was encountered while running the model: unexpected EOF"}\n'),
        ("/api/generate", b'{"error":"an error was encountered while running the model: unexpected EOF"}\n'),
    ],
)
async def test_a_dead_runner_ends_each_dialect_in_its_way(stand_in: StandIn, path: str, last: bytes) -> None:
    body = {"model": "chat", "messages": [{"role": "user", "content": "a"}], "prompt": "a", "stream": True}
    said = body_of(await ask(stand_in, post(path, body, "x-stand-in: fault=error-line")))

    assert last in said.rstrip(b"\n").rpartition(b"\n")[2] + b"\n"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 418, 429, 500, 502, 503, 504, 529])
async def test_a_status_comes_in_the_shape_of_the_path(stand_in: StandIn, status: int) -> None:
    fault = f"x-stand-in: fault=status:{status}"
    openai = await ask(stand_in, post("/v1/chat/completions", {}, fault))
    native = await ask(stand_in, post("/api/chat", {}, fault))
    anthropic = await ask(stand_in, post("/v1/messages", {}, fault))
    plain = await ask(stand_in, post("/v1/chat/completions", {}, f"x-stand-in: fault=text-status:{status}"))

    for answer in (openai, native, anthropic, plain):
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'{"error":{"message":' in openai
    assert b'{"error":"' in native
    assert b'{"type":"error","error":{"type":"' in anthropic
    assert plain.endswith(b"\r\n\r\nupstream says no\n")
    assert (b"\r\nRetry-After: 1\r\n" in openai) == (status == 429)


async def test_lengths_that_lie(stand_in: StandIn) -> None:
    short, ended = await everything(stand_in, chat(stand_in="fault=short-length:7"))
    extra, _ = await everything(stand_in, chat(stand_in="fault=extra-bytes"))

    def announced(answer: bytes) -> int:
        found = re.search(rb"Content-Length: (\d+)", answer)
        assert found
        return int(found[1])

    assert announced(short) == len(short.partition(b"\r\n\r\n")[2]) + 7
    assert ended == "closed"
    assert announced(extra) < len(extra.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("body", [{}, STREAM])
async def test_a_slow_head_drips(stand_in: StandIn, body: dict[str, Any]) -> None:
    async with peer(stand_in) as one:
        one.send(chat(stand_in="fault=slow-head;slow_head_s=0.002", **body))
        pieces: list[bytes] = []
        while b"\r\n\r\n" not in b"".join(pieces):
            pieces.append(await one.some())

        assert len(pieces) > 20
        assert b"Hello" in b"".join(pieces) + await one.some()


async def test_early_hints_come_before_the_answer(stand_in: StandIn) -> None:
    got = await ask(stand_in, chat(stand_in="fault=early-hints"))

    assert got.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in got


async def test_an_early_reply_comes_while_the_body_is_still_being_sent(stand_in: StandIn) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
    async with peer(stand_in) as one:
        one.send(head + b"x-stand-in: fault=early-reply:422\r\n\r\n{")
        got = await one.answer()

        assert got.startswith(b"HTTP/1.1 422 ")
        assert b"\r\nConnection: close\r\n" in got  # Go reads no more than 256 KiB of a body that nobody wanted
        one.send(b" " * 100_000)
        assert await one.some() == b""


async def test_an_early_reply_to_a_small_body_keeps_the_connection(stand_in: StandIn) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
    async with peer(stand_in) as one:
        one.send(head + b"x-stand-in: fault=early-reply\r\n\r\n")
        assert b"HTTP/1.1 413" in await one.answer()
        one.send(b"0123456789" + get("/api/version"))

        assert b'{"version":' in await one.answer()


async def test_never_read_neither_reads_nor_answers(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(post("/v1/chat/completions", b" " * 5_000_000, "x-stand-in: fault=never-read"))

        assert await one.silent()
        assert stand_in.stats.last_request
        assert stand_in.stats.requests == 1


async def test_close_after_reply_closes_unannounced(stand_in: StandIn) -> None:
    got, ended = await everything(stand_in, chat(stand_in="fault=close-after-reply"))

    assert ended == "closed"
    assert b"Connection: close" not in got
    assert got.endswith(b"}\n")


@pytest.mark.parametrize(("fault", "end"), [("close-on-next", "closed"), ("reset-on-next", "reset")])
async def test_the_next_request_on_the_connection_meets_its_end(stand_in: StandIn, fault: str, end: str) -> None:
    async with peer(stand_in) as one:
        one.send(chat(stand_in=f"fault={fault}"))
        assert b"200 OK" in await one.answer()
        one.send(chat())

        try:
            ended = "closed" if await one.some() == b"" else "answered"
        except ConnectionResetError:
            ended = "reset"
        assert end == ended


async def test_stream_options_may_be_refused(stand_in: StandIn) -> None:
    header = "fault=reject-stream-options"
    refused = await ask(stand_in, chat(stand_in=header, stream=True, stream_options={"include_usage": True}))
    taken = await ask(stand_in, chat(stand_in=header, stream=True))

    assert refused.startswith(b"HTTP/1.1 400 ")
    assert taken.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("body", [{}, STREAM])
async def test_big_says_as_many_bytes_as_told(stand_in: StandIn, body: dict[str, Any]) -> None:
    got = await ask(stand_in, chat(stand_in="fault=big:1234567", **body))

    assert sum(map(len, re.findall(rb'"content":"(x*)"', body_of(got)))) == 1234567


async def test_a_wrong_wish_is_told_and_not_ignored(stand_in: StandIn) -> None:
    for wish in ("fault=nothing", "speed=fast", "colour=blue", "personality=nobody"):
        got = await ask(stand_in, chat(stand_in=wish))

        assert got.startswith(b"HTTP/1.1 400 ")
        assert b"stand_in_error" in got


def test_every_kind_of_fault_is_named() -> None:
    assert set(faults.NAMES) >= faults.AT_START | faults.AT_HEAD | faults.IN_STREAM


async def test_faults_of_one_call_leave_the_others_alone(stand_in: StandIn) -> None:
    broken = asyncio.gather(*(everything(stand_in, chat(stand_in="fault=mute")) for _ in range(3)))
    whole = [await ask(stand_in, chat()) for _ in range(5)]

    assert all(b"done!" in answer for answer in whole)
    assert await broken == [(b"", "open")] * 3
