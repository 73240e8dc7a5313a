"""The trace context on its way: from the client, into the journal, to the upstream."""

from __future__ import annotations

import pytest

from proxy.core.config import Otel
from proxy.wire.trace_context import read_traceparent

from .conftest import MakeRelay
from .peer import ask, chat, connected, request
from .rig import Rig
from .scripted import OK, Conn, Scripted, answers

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
ON = Otel(endpoint="http://127.0.0.1:1")


async def test_with_tracing_off_the_heads_pass_and_the_trace_is_noted(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        await ask(rig.port, chat(f"TraceParent: {PARENT}", "tracestate: a=b", "X-Last: 1"))
        finished = (await rig.last()).finished

    seen = server.seen[0]
    assert [(b"TraceParent", PARENT.encode()), (b"tracestate", b"a=b"), (b"X-Last", b"1")] == seen.fields[1:4]
    assert (finished.trace_id, finished.parent_span_id, finished.span_id) == (TRACE, SPAN, None)
    assert (finished.client_span_id, finished.trace_flags) == (None, 0)


@pytest.mark.parametrize("values", [["nonsense"], [PARENT, PARENT]])
async def test_with_tracing_off_malformed_ones_pass_too(make_relay: MakeRelay, values: list[str]) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        await ask(rig.port, chat(*(f"traceparent: {value}" for value in values)))
        finished = (await rig.last()).finished

    assert [value.encode() for value in values] == server.seen[0].values(b"traceparent")
    assert finished.trace_id is None


async def test_the_upstream_is_told_our_client_span(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, otel=ON)
        await ask(rig.port, chat(f"Traceparent: {PARENT}", "tracestate: a=b", "tracestate: c=d", "baggage: x=y"))
        exchange = await rig.last()

    finished, seen = exchange.finished, server.seen[0]
    told = read_traceparent(seen.values(b"traceparent"))
    assert told is not None
    assert (told.trace_id, told.span_id, told.flags) == (TRACE, finished.client_span_id, 1)
    assert (finished.trace_id, finished.parent_span_id, finished.trace_flags) == (TRACE, SPAN, 1)
    assert len({SPAN, finished.span_id, finished.client_span_id}) == 3
    assert seen.values(b"tracestate") == [b"a=b", b"c=d"]
    assert seen.values(b"baggage") == [b"x=y"]
    assert PARENT.encode() in exchange.request_head  # kept as the client sent it
    assert rig.started[0].span_id == finished.span_id


@pytest.mark.parametrize("values", [[], ["00-" + "0" * 32 + f"-{SPAN}-01"], [PARENT, PARENT]])
async def test_without_a_valid_context_a_trace_begins(make_relay: MakeRelay, values: list[str]) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, otel=ON)
        await ask(rig.port, chat(*(f"traceparent: {value}" for value in values), "tracestate: a=b"))
        finished = (await rig.last()).finished

    told = read_traceparent(server.seen[0].values(b"traceparent"))
    assert told is not None
    assert (told.trace_id, told.span_id) == (finished.trace_id, finished.client_span_id)
    assert told.trace_id != TRACE
    assert finished.parent_span_id is None
    assert server.seen[0].values(b"tracestate") == []


@pytest.mark.parametrize(("flags", "sampler", "sent"), [
    ("00", "parentbased_always_on", 0), ("01", "always_off", 0), ("00", "always_on", 1),
])  # fmt: skip
async def test_who_is_not_sampled_still_hands_the_trace_on(
    make_relay: MakeRelay, flags: str, sampler: str, sent: int
) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, otel=Otel(endpoint="http://127.0.0.1:1", sampler=sampler))  # type: ignore[arg-type]
        await ask(rig.port, chat(f"traceparent: 00-{TRACE}-{SPAN}-{flags}"))
        finished = (await rig.last()).finished

    told = read_traceparent(server.seen[0].values(b"traceparent"))
    assert told is not None
    assert (told.trace_id, told.flags, finished.trace_flags) == (TRACE, sent, sent)


async def test_each_attempt_is_a_span_of_its_own(make_relay: MakeRelay) -> None:
    async def once(conn: Conn) -> None:
        if server.connections == 1:
            await conn.request()
            await conn.send(OK)
            await conn.request()
            return
        await answers(OK)(conn)

    async with Scripted(once) as server:
        rig = await make_relay(server.port, otel=ON)
        async with connected(rig.port) as peer:
            await peer.ask(chat())
            await peer.ask(chat())
        finished = (await rig.last(2)).finished

    first, second = (read_traceparent(seen.values(b"traceparent")) for seen in server.seen[1:])
    assert first is not None
    assert second is not None
    (repeated,) = finished.repeated
    assert (first.span_id, second.span_id) == (repeated.span_id, finished.client_span_id)
    assert first.trace_id == second.trace_id == finished.trace_id
    assert repeated.error_code in ("upstream_closed", "upstream_reset")
    assert repeated.status is None
    assert finished.attempt_s is not None
    assert 0 < repeated.began_s < repeated.ended_s <= finished.attempt_s < finished.duration_s


async def test_an_answer_of_no_use_is_an_attempt_with_its_status(make_relay: MakeRelay) -> None:
    refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"

    async def first_refuses(conn: Conn) -> None:
        seen = await conn.request()
        await conn.send(refusal if b"include_usage" in seen.body else OK)

    async with Scripted(first_refuses) as server:
        rig = await make_relay(server.port, otel=ON)
        await ask(rig.port, chat(stream=True))
        finished = (await rig.last()).finished

    assert [(attempt.status, attempt.error_code) for attempt in finished.repeated] == [(400, None)]
    assert finished.upstream_status == 200


async def test_what_never_reached_an_upstream_has_no_client_span(make_relay: MakeRelay) -> None:
    rig: Rig = await make_relay(1, otel=ON)
    await ask(rig.port, chat())
    finished = (await rig.last()).finished
    assert finished.error_code == "upstream_connect_failed"
    assert finished.client_span_id is not None  # it was tried

    await ask(rig.port, request("TRACE", "/x"))
    refused = (await rig.last(2)).finished
    assert (refused.status, refused.client_span_id) == (501, None)
    assert refused.span_id is not None
