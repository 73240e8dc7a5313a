"""What the journal gets of each call, when, and that its troubles are not the call's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proxy.core.config import Journal
from proxy.journal import frames
from proxy.journal.counters import Counter
from proxy.journal.writer import Entry
from proxy.relay.listener import ClientConnection
from proxy.standin.server import StandIn

from .conftest import MakeRelay
from .peer import ask, chat, connected, post, request
from .rig import Rig
from .scripted import OK, Conn, Scripted, answers, chunked


@pytest.mark.parametrize("raw", [OK, chunked(b"abc", b"def"), b"HTTP/1.0 200 OK\r\n\r\nuntil the close"])
async def test_started_goes_before_the_request_and_finished_before_the_end(
    make_relay: MakeRelay, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    order: list[str] = []

    async def upstream(conn: Conn) -> None:
        await conn.head()
        order.append("upstream has it")
        await conn.send(raw)

    async with Scripted(upstream) as server:
        rig = await make_relay(server.port)
        append, send = rig.journal.append, ClientConnection.send

        def noted_append(entries: list[Entry]) -> None:
            order.extend({frames.STARTED: "started", frames.FINISHED: "finished"}[kind] for kind, _, _ in entries)
            append(entries)

        def noted_send(client: ClientConnection, data: bytes) -> None:
            if data.endswith((b"{}", b"0\r\n\r\n")):
                order.append("client has the end")
            send(client, data)

        monkeypatch.setattr(rig.journal, "append", noted_append)
        monkeypatch.setattr(ClientConnection, "send", noted_send)
        assert (await ask(rig.port, request("GET", "/x"))).status == 200

    assert order == ["started", "upstream has it", "finished", "client has the end"]


async def test_an_error_of_ours_is_kept_before_it_is_told(
    make_relay: MakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await make_relay(1)
    kept: list[int] = []
    send = ClientConnection.send

    def noted_send(client: ClientConnection, data: bytes) -> None:
        kept.append(rig.count(Counter.FINISHED_FRAMES))
        send(client, data)

    monkeypatch.setattr(ClientConnection, "send", noted_send)
    assert (await ask(rig.port, chat())).status == 502
    assert kept == [1]


async def test_started_says_what_an_interrupted_call_was(stand_in: StandIn, relay: Rig) -> None:
    async with connected(relay.port) as peer:
        peer.send(chat("x-stand-in: fault=mute", "User-Agent: t/1", stream=True))
        await relay.until(lambda: stand_in.stats.active == 1)
        relay.read()
        (started,) = relay.started
        peer.leave()
        await relay.ended(1)

    assert (
        started.method, started.target, started.model, started.stream, started.client, started.user_agent
    ) == ("POST", "/v1/chat/completions", "chat", True, "127.0.0.1", "t/1")  # fmt: skip


async def test_a_whole_exchange(relay: Rig) -> None:
    raw = chat("X-One: 1", "x-request-id: abc")
    answer = await ask(relay.port, raw)
    exchange = await relay.last()
    finished = exchange.finished

    assert raw.endswith(exchange.request_body)
    assert b"X-One: 1\r\n" in exchange.request_head
    assert answer.body == exchange.answer_body
    assert exchange.answer_head.startswith(b"Content-Type: application/json\r\n")
    assert (
        finished.request_id, finished.upstream, finished.attempts, finished.status, finished.upstream_status
    ) == ("abc", "default", 1, 200, 200)  # fmt: skip
    assert (len(exchange.request_body), len(answer.body)) == (finished.request_bytes, finished.response_bytes)
    assert finished.sent_s is not None
    assert finished.headers_s is not None
    assert 0 < finished.sent_s < finished.headers_s <= exchange.pieces.times_s[0] < finished.duration_s
    assert finished.overhead_s is not None
    assert 0 < finished.overhead_s < finished.duration_s


SECRETS = ("Authorization: Bearer canary", "Cookie: a=canary", "X-Api-Key: canary", "api-key: canary",
           "x-goog-api-key: canary", "X-AMZ-Security-Token: canary")  # fmt: skip


async def test_secrets_are_nowhere_in_the_journal(make_relay: MakeRelay, tmp_path: Path) -> None:
    reply = OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: s=canary\r\nX-After: 1\r\n\r\n")
    async with Scripted(answers(reply)) as server:
        rig = await make_relay(server.port)
        assert (await ask(rig.port, request("GET", "/x", *SECRETS, "X-Last: 1"))).value(b"set-cookie") == b"s=canary"
        exchange = await rig.last()

    assert [b"canary" in path.read_bytes() for path in tmp_path.rglob("*.segment")] == [False]
    assert exchange.request_head.count(b"[struck out]") == len(SECRETS)
    assert exchange.request_head.endswith(b"X-Last: 1\r\n")
    assert exchange.answer_head.endswith(b"Set-Cookie: [struck out]\r\nX-After: 1\r\n")


@pytest.mark.parametrize("keep", [0, 1, 3, 4, 1000, 1_000_000])
@pytest.mark.parametrize("reads", [1, 300])
async def test_what_is_kept_is_bounded(make_relay: MakeRelay, keep: int, reads: int) -> None:
    body = bytes(range(256)) * 40
    step = len(body) // reads

    async def drip(conn: Conn) -> None:
        await conn.request()
        await conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), step):
            await conn.send(body[at : at + step])
            await asyncio.sleep(0)

    async with Scripted(drip) as server:
        rig = await make_relay(server.port, journal=Journal(request_bytes=keep, answer_bytes=keep))
        answer = await ask(rig.port, post("/x", body))
        exchange = await rig.last()

    finished, kept = exchange.finished, exchange.answer_body
    assert body == answer.body
    assert body[:keep] == exchange.request_body
    assert finished.request_cut == (keep < len(body))
    assert len(kept) == min(keep, len(body))
    assert finished.answer_cut == len(body) - len(kept)
    if finished.answer_cut:
        assert keep - keep // 4 == finished.answer_head_kept
        assert body[: finished.answer_head_kept] + body[len(body) - keep // 4 :] == kept
    assert sum(size for _, size in exchange.pieces) == len(body)


async def test_a_journal_that_fails_harms_no_call(
    make_relay: MakeRelay, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await make_relay(stand_in.port)
    append = rig.journal.append

    def failing(entries: list[Entry]) -> None:
        append(entries)
        raise MemoryError("a mistake of ours")

    monkeypatch.setattr(rig.journal, "append", failing)
    assert (await ask(rig.port, chat())).status == 200
    assert b"[DONE]" in (await ask(rig.port, chat(stream=True))).body
    assert "a mistake of ours" in caplog.text


async def test_a_journal_that_can_keep_nothing_harms_no_call(make_relay: MakeRelay, stand_in: StandIn) -> None:
    tiny: Any = Journal(max_bytes=4096, backlog_bytes=0)
    rig = await make_relay(stand_in.port, journal=tiny)
    for _ in range(10):
        assert (await ask(rig.port, chat())).status == 200
    assert b'"backlog"' in (await ask(rig.port, request("GET", "/-/health"))).body
    words = rig.count
    assert words(Counter.FINISHED_FRAMES) + words(Counter.FINISHED_LOST) == words(Counter.ENDED) == 10
    rig.journal.counters.words[Counter.FINISHED_FRAMES] = 10  # what the rig holds to be true at a test's end
