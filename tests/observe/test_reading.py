"""Records made of the recorded exchanges agree with what an independent reader saw in them, field by field."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from msgspec.structs import replace

from proxy.core.exchange import Exchange, Finished, Pieces, Started
from proxy.observe.reading import interrupted_call, read_call
from proxy.wire.routes import ROUTES
from tests.wire.expecting import told
from tests.wire.recordings import exchange_of, load, names


@pytest.mark.parametrize("name", names())
def test_a_recording_means_what_was_expected(name: str) -> None:
    """Each field that expected.json states, for all 329 exchanges."""
    recording = load(name)
    expected = recording.expected
    record, meaning = read_call(exchange_of(recording))

    ours = {field: told(field, expected, recording.target, record, meaning) for field in expected}

    assert ours == expected
    assert record.route in ROUTES


def chat(body: bytes, *, content_type: bytes = b"text/event-stream", **finished: Any) -> Exchange:
    """A call of /v1/chat/completions with this answer."""
    known: dict[str, Any] = {
        "call_id": "c-1",
        "request_id": "r-1",
        "started_unix_ns": 1,
        "method": "POST",
        "target": "/v1/chat/completions",
        "status": 200,
        "upstream_status": 200,
        "upstream_kind": "ollama",
        "response_bytes": len(body),
    }
    return Exchange(
        finished=Finished(**{**known, **finished}),
        request_body=b'{"model":"m","stream":true}',
        answer_head=b"Content-Type: " + content_type + b"\r\n",
        answer_body=body,
        pieces=Pieces.of([(0.5, len(body))]),
    )


def token(text: str, **more: Any) -> bytes:
    chunk = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, **more}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("name", "changes", "outcome", "error_type"),
    [
        ("chat-stream", {}, "ok", None),
        ("chat-stream", {"ending": "client_left"}, "ok", None),  # SDKs close right behind [DONE]
        ("chat-stream", {"ending": "upstream_failed", "error_code": "upstream_reset"}, "ok", None),
        ("left-chat-stream-usage", {"error_code": "client_left"}, "client_gone", "client_left"),
        ("killed-server-chat-stream-usage", {"error_code": "upstream_reset"}, "incomplete", "upstream_reset"),
        ("killed-server-chat-plain", {"error_code": "upstream_closed"}, "upstream_error", "upstream_closed"),
        ("killed-runner-chat-stream-usage", {}, "incomplete", "no_end_mark"),
        ("killed-runner-native-chat-stream", {}, "upstream_error", "server_error"),
        ("killed-runner-chat-plain", {}, "upstream_error", "server_error"),
        ("error-unknown-model", {}, "rejected", "not_found"),
        ("host-refused", {}, "rejected", "permission"),
        ("chat-plain", {"ending": "timeout", "error_code": "upstream_between_bytes_timeout"}, "timeout", None),
        ("chat-plain", {"ending": "refused", "error_code": "shutting_down"}, "refused", "shutting_down"),
        ("chat-plain", {"ending": "proxy_failed", "error_code": "internal_error"}, "proxy_error", "internal_error"),
        ("chat-stream", {"ending": "stopped", "error_code": "stopped"}, "interrupted", "stopped"),
    ],
)
def test_endings_and_meaning_make_the_outcome(
    name: str, changes: dict[str, Any], outcome: str, error_type: str | None
) -> None:
    record, _ = read_call(exchange_of(load(f"ollama-0.33/{name}"), **changes))
    assert (record.outcome, record.error_type) == (
        outcome,
        error_type or changes.get("error_code") if outcome != "ok" else None,
    )


def test_tokens_of_an_ollama_stream_that_does_not_tell_are_counted() -> None:
    for name in (
        "ollama-0.33/chat-stream",
        "ollama-0.33/left-chat-stream-usage",
        "ollama-0.24/killed-runner-completions-stream-usage",
    ):
        record, meaning = read_call(exchange_of(load(name)))
        assert (record.tokens_source, record.prompt_tokens) == ("counted", None)
        assert record.completion_tokens == len(meaning.token_offsets) > 0


@pytest.mark.parametrize(
    "name", ["litellm-1.106/chat-stream", "litellm-1.106/completions-stream", "ollama-0.33/chat-same-plain"]
)
def test_silence_and_invented_zeros_are_missing(name: str) -> None:
    record, _ = read_call(exchange_of(load(name)))
    assert (record.tokens_source, record.prompt_tokens, record.completion_tokens) == ("missing", None, None)


def test_tokens_inside_a_tool_call_cannot_be_counted() -> None:
    delta = b'{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}'
    body = b'data: {"choices":[{"index":0,"delta":' + delta + b"}]}\n\n"
    record, meaning = read_call(chat(body + STOP + DONE))
    assert (record.tokens_source, record.completion_tokens, record.tool_calls) == ("missing", None, 1)
    assert meaning.tool_calls[0].arguments_valid is False


def test_counts_that_cannot_be_are_unknown() -> None:
    counts = b'{"prompt_tokens":0,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":9}}'
    usage = b'data: {"choices":[],"usage":' + counts + b"}\n\n"
    record, _ = read_call(chat(token("a") + token("b") + STOP + usage + DONE))
    assert (record.tokens_source, record.prompt_tokens, record.completion_tokens, record.cached_tokens) == (
        "reported",
        None,
        2,
        None,
    )


def test_times_come_from_the_piece_that_completed_the_event() -> None:
    """Event 1 is complete in the second piece, 2 and 3 in the third."""
    first, rest = token("a"), token("b") + token("c") + STOP + DONE
    pieces = ((0.1, 10), (0.25, len(first) - 10), (1.0, len(rest)))
    record, _ = read_call(replace(chat(first + rest), pieces=Pieces.of(pieces)))
    assert (record.first_byte_s, record.first_token_s, record.first_answer_token_s) == (0.1, 0.25, 0.25)
    assert (record.piece_gap_p50_s, record.piece_gap_max_s) == (0.75, 0.75)


def test_reasoning_is_a_first_token_but_no_answer() -> None:
    thought = b'data: {"choices":[{"index":0,"delta":{"reasoning":"hm"}}]}\n\n'
    body = thought * 2 + token("a") + STOP + DONE
    pieces = ((0.1, len(thought)), (0.2, len(thought)), (0.3, len(body) - 2 * len(thought)))
    record, _ = read_call(replace(chat(body), pieces=Pieces.of(pieces)))
    assert (record.first_token_s, record.first_answer_token_s) == (0.1, 0.3)


def test_offsets_behind_a_gap_are_shifted() -> None:
    """The journal kept head and tail: the token behind the gap came with the last piece, and nothing was counted."""
    head, gap, tail = token("a") + b'data: {"cho', b"x" * 5000, b'ices":[]}\n\n' + token("z") + STOP + DONE
    exchange = chat(head + tail, answer_cut=len(gap), answer_head_kept=len(head))
    pieces = ((0.1, len(head)), (0.2, len(gap)), (0.9, len(tail)))
    record, meaning = read_call(replace(exchange, pieces=Pieces.of(pieces)))
    assert (record.outcome, record.first_token_s) == ("ok", 0.1)
    assert record.piece_gap_max_s == pytest.approx(0.8)
    assert (meaning.text, meaning.unread, record.tokens_source, record.tool_calls) == ("az", "cut", "missing", None)


def test_a_packed_stream_is_timed_piece_by_piece() -> None:
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(token(text)) + packer.flush(zlib.Z_SYNC_FLUSH) for text in "abc"]
    parts.append(packer.compress(STOP + DONE) + packer.flush())
    exchange = chat(b"".join(parts), content_type=b"text/event-stream\r\nContent-Encoding: gzip")
    pieces = tuple((0.1 * place, len(part)) for place, part in enumerate(parts, start=1))
    record, meaning = read_call(replace(exchange, pieces=Pieces.of(pieces)))
    assert (meaning.text, record.outcome, record.completion_tokens) == ("abc", "ok", 3)
    assert record.first_token_s == pytest.approx(0.1)
    assert record.piece_gap_p50_s == pytest.approx(0.1)


def test_what_cannot_be_unpacked_is_not_judged() -> None:
    exchange = chat(b"\x01\x02", content_type=b"application/json\r\nContent-Encoding: snappy")
    record, meaning = read_call(exchange)
    assert (meaning.unread, record.outcome, record.tokens_source, record.tool_calls) == (
        "coding",
        "ok",
        "missing",
        None,
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"choices":[{"message":{"content":"hal', b"[]"])
def test_a_success_without_an_answer_is_incomplete(body: bytes) -> None:
    record, _ = read_call(chat(body, content_type=b"application/json"))
    assert (record.outcome, record.error_type) == ("incomplete", "no_end_mark")


def test_native_durations_are_the_parts_of_latency() -> None:
    record, meaning = read_call(exchange_of(load("ollama-0.33/queue-second-native")))
    durations = meaning.durations
    assert durations is not None
    assert durations.total_ns is not None
    parts = (record.load_s, record.prompt_eval_s, record.generation_s, record.queue_s)
    assert all(part is not None and part >= 0 for part in parts)
    assert sum(part or 0 for part in parts) == pytest.approx(durations.total_ns / 1e9)
    assert (record.queue_s or 0) > 0.3


def test_litellms_own_cost_is_kept() -> None:
    record, meaning = read_call(exchange_of(load("litellm-1.106/chat-think-stream-usage")))
    assert meaning.reported_cost_usd == pytest.approx(23e-6 + 14 * 2e-6)
    assert (record.reasoning_tokens, record.completion_tokens) == (6, 14)


def test_ollamas_constant_zeros_of_responses_are_no_counts() -> None:
    record, meaning = read_call(exchange_of(load("ollama-0.33/responses-think-stream")))
    assert meaning.reasoning
    assert (record.reasoning_tokens, record.cached_tokens, record.completion_tokens) == (None, None, 14)


def test_emoji_cut_between_events_is_healed() -> None:
    halves = [
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ude42"}}]}\n\n',
    ]
    assert read_call(chat(halves[0] + halves[1] + STOP + DONE))[1].text == "🙂"
    assert read_call(chat(halves[0] + STOP + DONE))[1].text == "\ufffd"


def test_an_error_message_is_one_bounded_line() -> None:
    body = json.dumps({"error": {"message": "a\x00\x1b[31m\n" + "b" * 1000, "type": "api_error"}}).encode()
    record, _ = read_call(chat(body, content_type=b"application/json", status=500, upstream_status=500))
    assert record.error_message is not None
    assert len(record.error_message) <= 500
    assert record.error_message.isprintable()


def test_an_interrupted_call_says_what_was_known() -> None:
    started = Started(
        call_id="c",
        request_id="r",
        started_unix_ns=5,
        method="POST",
        target="/api/chat?x",
        model="m\0",
        user_agent="a\nb",
    )
    record = interrupted_call(started)
    assert (record.outcome, record.route, record.dialect, record.model) == (
        "interrupted",
        "/api/chat",
        "ollama_chat",
        "m",
    )
    assert (record.duration_s, record.status, record.user_agent) == (None, None, "a b")


@pytest.mark.parametrize("content_type", [b"text/plain", b"application/json", b"application/octet-stream"])
def test_a_stream_under_a_wrong_type_is_read_as_sdks_read_it(content_type: bytes) -> None:
    record, meaning = read_call(chat(token("a") + STOP + DONE, content_type=content_type))

    assert (record.outcome, meaning.text, record.completion_tokens) == ("ok", "a", 1)


def test_an_error_in_a_list_is_read() -> None:
    body = b'[{"error":{"code":400,"message":"no such model","status":"INVALID_ARGUMENT"}}]'
    record, _ = read_call(chat(body, content_type=b"application/json", status=400, upstream_status=400))

    assert (record.outcome, record.error_message) == ("rejected", "no such model")


@pytest.mark.parametrize("folder", ["ollama-0.24", "ollama-0.33"])
@pytest.mark.parametrize("name", ["responses-plain", "responses-stream", "responses-think-stream"])
def test_details_that_ollama_always_writes_as_zero_are_unknown(folder: str, name: str) -> None:
    record, _ = read_call(exchange_of(load(f"{folder}/{name}")))

    assert (record.cached_tokens, record.tokens_source) == (None, "reported")
