"""The connection: keep-alive, pipelining, odd requests, stop and start, many at once."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from proxy.standin.server import StandIn

from .peer import ask, body_of, chat, get, peer, post, until


async def test_a_connection_serves_call_after_call(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        for _ in range(3):
            one.send(chat(stream=True))
            assert (await one.answer()).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")

    assert (stand_in.stats.completed, stand_in.stats.connections_total) == (3, 1)


async def test_pipelined_requests_are_answered_in_order(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(chat(stand_in="first_token_s=0.05") + get("/api/version") + chat("empty") + get("/"))

        assert b"done!" in await one.answer()
        assert b'{"version":' in await one.answer()
        assert b'"content":""' in await one.answer()
        assert b"Ollama is running" in await one.answer()


async def test_a_request_may_come_byte_by_byte(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        for byte in chat():
            one.send(bytes([byte]))
            await asyncio.sleep(0)

        assert b"done!" in await one.answer()


async def test_a_chunked_request_is_read(stand_in: StandIn) -> None:
    head = b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b'{"model":"chat","prompt":"hello","stream":false}'
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(body[at : at + 9]), body[at : at + 9]) for at in range(0, len(body), 9))
    async with peer(stand_in) as one:
        one.send(head + chunks + b"0\r\n\r\n")

        assert b"done!" in await one.answer()
    assert stand_in.stats.last_request
    assert len(body) == stand_in.stats.last_request.body_bytes


async def test_connection_close_is_granted_as_go_does(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(get("/api/version", "Connection: close"))
        got = await one.to_end()

    head = got.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert head[-2:] == [b"Content-Length: 24", b"Connection: close"]


async def test_http_1_0_gets_no_chunks_and_the_end_of_the_connection(stand_in: StandIn) -> None:
    body = b'{"model":"chat","prompt":"hello"}'
    async with peer(stand_in) as one:
        one.send(b"POST /api/generate HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        got = await one.to_end()

    assert got.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"chunked" not in got
    assert got.rstrip().endswith(b"}")


@pytest.mark.parametrize("bad", [b"what is this?\r\n\r\n", b"GET / HTTP/1.1\r\nA b\r\n\r\n", b"\x16\x03\x01\x02\x00"])
async def test_what_is_no_http_is_refused_as_go_does(stand_in: StandIn, bad: bytes) -> None:
    async with peer(stand_in) as one:
        one.send(bad)
        got = await one.to_end()

    assert got.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close")


async def test_an_upgrade_is_ignored(stand_in: StandIn) -> None:
    async with peer(stand_in) as one:
        one.send(get("/api/version", "Connection: Upgrade", "Upgrade: websocket"))

        assert b"200 OK" in await one.answer()


async def test_a_client_that_waits_for_100_gets_it_only_from_who_reads_bodies(stand_in: StandIn) -> None:
    whole = chat()
    head, _, body = whole.partition(b"\r\n\r\n")
    async with peer(stand_in) as one:
        one.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert await one.some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.send(body)
        assert b"done!" in await one.answer()
    async with peer(stand_in) as one:
        one.send(post("/nothing", b"123").partition(b"\r\n\r\n")[0] + b"\r\nExpect: 100-continue\r\n\r\n")
        assert (await one.to_end()).startswith(b"HTTP/1.1 404 ")


async def test_stop_resets_who_is_connected_and_start_opens_the_same_port_again() -> None:
    stand_in = StandIn()
    await stand_in.start()
    port = stand_in.port
    async with peer(stand_in) as idle, peer(stand_in) as waiting:
        idle.send(get("/"))
        await idle.answer()
        waiting.send(chat(stand_in="load_s=30"))
        await until(stand_in, "active")
        await stand_in.stop()

        for one in (idle, waiting):
            with pytest.raises(ConnectionResetError):
                await one.some()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)
    await stand_in.start(port=port)
    assert b"200 OK" in await ask(stand_in, chat())
    await stand_in.stop()
    await stand_in.stop()
    assert (stand_in.stats.active, stand_in.stats.connections, stand_in.stats.cancelled) == (0, 0, 0)


async def test_some_hundred_streams_at_once(stand_in: StandIn) -> None:
    began = time.monotonic()
    asked = chat("loop", stand_in="token_s=0.05", stream=True, max_tokens=10)
    answers = await asyncio.gather(*(ask(stand_in, asked) for _ in range(300)))

    assert all(answer.count(b'"delta"') == 11 for answer in answers)
    assert time.monotonic() - began < 60


async def test_nonsense_in_any_field_is_answered(stand_in: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    odd: tuple[Any, ...] = (
        None,
        True,
        -1,
        1.5,
        "",
        "chat",
        [],
        [1],
        ["a"],
        {},
        {"a": [None]},
        [{"role": 7, "content": {"a": 1}}],
    )
    fields = (
        "messages", "prompt", "input", "tools", "stop", "options", "stream_options", "think", "reasoning", "text",
        "system", "instructions", "thinking", "top_logprobs", "logprobs", "dimensions", "keep_alive", "format",
        "max_output_tokens", "reasoning_effort", "name", "stream", "max_tokens", "suffix",
    )  # fmt: skip
    paths = (
        "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages", "/api/chat",
        "/api/generate", "/api/embed", "/api/embeddings", "/api/show", "/api/pull", "/api/copy",
    )  # fmt: skip
    for path in paths:
        for field in fields:
            async with peer(stand_in) as one:
                for value in odd:
                    said = [{"role": "user", "content": "hello"}]
                    base = {"model": "llama3.2", "messages": said, "prompt": "a", "input": "a", "max_tokens": 5}
                    one.send(post(path, {**base, field: value}))
                    got = await one.answer()
                    assert b"stand_in_error" not in got, (path, field, value, got)
                    assert not got.startswith(b"HTTP/1.1 5") or path == "/api/pull", (path, field, value, got)

    assert "task_failed" not in capsys.readouterr().out


def test_run_prints_one_line_and_stops_on_a_signal() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = f"from proxy.standin.server import run; run('127.0.0.1', {port})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        line = process.stdout.readline().decode()
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(get("/", "Connection: close"))
            got = b""
            while data := sock.recv(65536):
                got += data
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()

    assert f"http://127.0.0.1:{port}" in line
    assert b"Ollama is running" in body_of(got)
    assert (rest, process.returncode) == (b"", 0)
