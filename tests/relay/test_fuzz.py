"""Seeded random damage to requests and answers: never a 500, a hang, or an answer that is no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from proxy.journal.counters import Counter

from .conftest import MakeRelay
from .peer import CHAT, BrokenAnswerError, chat, connected, post, request
from .rig import upstream
from .scripted import OK, Conn, Scripted, chunked

REQUESTS = (
    chat("Expect: 100-continue"),
    chat(stream=True),
    request("POST", "/v1/completions", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    post("/api/blobs/sha256:1", b"x" * 50, "Connection: keep-alive, x-y", "X-Y: 1"),
    request("GET", "/v1/models?x=%2F", "Upgrade-Insecure-Requests: 1"),
    post("/v1/embeddings", {**CHAT, "input": ["a" * 300]}, version="1.0"),
)
ANSWERS = (
    OK,
    chunked(b'data: {"choices":[]}\n\n', b'data: {"choices":[],"usage":{"total_tokens":1}}\n\n', b"data: [DONE]\n\n"),
    b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK,
    b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nuntil the end",
    b"HTTP/1.1 204 None\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 14\r\n\r\ndata: [DONE]\n\n",
)
BITS = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"chunked", b"Content-Length: 5\r\n", b"0\r\n\r\n", b"\xff", b"#",
    b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"99999999999999999999", b"-1", b"Host: x\r\n", b"{", b'"', b"%",
    b"\\ud800",
)  # fmt: skip


def damaged(random_: random.Random, raw: bytes) -> bytes:
    for _ in range(random_.randint(1, 4)):
        at, kind = random_.randrange(len(raw) + 1), random_.randrange(5)
        if kind == 0:
            raw = raw[:at] + random_.choice(BITS) + raw[at:]
        elif kind == 1:
            raw = raw[:at] + raw[at + random_.randint(1, 20) :]
        elif kind == 2:
            raw = raw[:at] + bytes([random_.randrange(256)]) + raw[at + 1 :]
        elif kind == 3:
            end = at + random_.randint(1, 60)
            raw = raw[:end] + raw[at:end] + raw[end:]
        else:
            raw = raw[:at] + random_.choice(BITS) + raw[at + 3 :]
    return raw


def in_pieces(random_: random.Random, raw: bytes) -> list[bytes]:
    cuts = sorted(random_.randrange(len(raw) + 1) for _ in range(random_.randint(0, 3)))
    return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]


@pytest.mark.parametrize("seed", range(4))
async def test_damaged_requests(make_relay: MakeRelay, seed: int) -> None:
    random_ = random.Random(seed)

    async def answer(conn: Conn) -> None:
        while True:
            await conn.request()
            await conn.send(OK)

    async with Scripted(answer) as server:
        rig = await make_relay((upstream(server.port, first_byte_s=0.5),))
        for number in range(100):
            raw = damaged(random_, random_.choice(REQUESTS))
            async with connected(rig.port) as peer:
                for piece in in_pieces(random_, raw):
                    peer.send(piece)
                    await asyncio.sleep(0)
                peer.writer.write_eof()
                told = b""
                async with asyncio.timeout(30):
                    with contextlib.suppress(ConnectionError):  # closed with bytes of ours unread
                        told = await peer.reader.read()
            assert b" 500 " not in told.partition(b"\r\n")[0], (seed, number, raw, told)
            assert told == b"" or told.startswith(b"HTTP/1.1 "), (seed, number, raw, told)
        await rig.until(lambda: rig.count(Counter.CLIENTS) == 0)
        await rig.until(lambda: rig.count(Counter.CALLS) == rig.count(Counter.ENDED))
        # What did arrive upstream arrived as whole requests, each understood in one way.
        for seen in server.seen:
            assert seen.line.endswith(b" HTTP/1.1")
            assert len(seen.values(b"host")) == 1
            assert len(seen.values(b"content-length")) + len(seen.values(b"transfer-encoding")) <= 1


@pytest.mark.parametrize("seed", range(4))
async def test_damaged_requests_of_patient_clients(make_relay: MakeRelay, seed: int) -> None:
    """The same without the end of the connection: every answer is read strictly, one after the other."""
    random_ = random.Random(100 + seed)

    async def answer(conn: Conn) -> None:
        while True:
            await conn.request()
            await conn.send(OK)

    async with Scripted(answer) as server:
        rig = await make_relay((upstream(server.port, first_byte_s=0.3),))
        for _ in range(60):
            raw = damaged(random_, random_.choice(REQUESTS))
            async with connected(rig.port) as peer:
                for piece in in_pieces(random_, raw):
                    peer.send(piece)
                try:
                    while (found := await peer.answer(within_s=0.1, head_only=raw.startswith(b"HEAD"))).status:
                        assert found.status != 500, (raw, found)
                        if found.value(b"connection") == b"close":
                            break
                except (TimeoutError, BrokenAnswerError):
                    pass  # it waits for the rest of a request, or closed


@pytest.mark.parametrize("seed", range(4))
async def test_damaged_answers(make_relay: MakeRelay, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    random_ = random.Random(200 + seed)

    async def damage(conn: Conn) -> None:
        while True:
            await conn.request()
            for piece in in_pieces(random_, damaged(random_, random_.choice(ANSWERS))):
                await conn.send(piece)
                await asyncio.sleep(0)
            if random_.random() < 0.7:
                return

    async with Scripted(damage) as server:
        rig = await make_relay((upstream(server.port, first_byte_s=0.2, between_bytes_s=0.2),))
        for _ in range(100):
            async with connected(rig.port) as peer:
                try:
                    answer = await peer.ask(chat(stream=random_.random() < 0.5))
                    assert answer.status != 500
                except BrokenAnswerError:
                    pass
        await rig.ended(100)
    assert not caplog.records
