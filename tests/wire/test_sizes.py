"""Work is linear in bytes, whatever they are: four times the size takes about four times as long, up to 10 MB."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest

from proxy.core.exchange import Exchange, Finished
from proxy.observe.reading import read_call
from proxy.wire.lines import LINE_BYTES

pytestmark = [pytest.mark.slow]

LARGE = 10_000_000
SSE, LINES, JSON = b"text/event-stream", b"application/x-ndjson", b"application/json"
TOKEN = b'{"choices":[{"index":0,"delta":{"content":"a"}}]}'
_FRAGMENT = (
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"aaaaaaaa"}}]}}]}\n\n'
)


def filled(before: bytes, filling: bytes, after: bytes) -> Callable[[int], bytes]:
    """A body of about that many bytes: the filling again and again between two ends."""
    return lambda size: before + filling * ((size - len(before) - len(after)) // len(filling)) + after


BODIES: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "a plain answer": (JSON, filled(b'{"choices":[{"message":{"content":"', b"x", b'"},"finish_reason":"stop"}]}')),
    "a plain answer of halved emoji": (JSON, filled(b'{"choices":[{"message":{"content":"', rb"\ud83d", b'"}}]}')),
    "no JSON": (JSON, filled(b"", b"x", b"")),
    "blanks": (JSON, filled(b"", b" \n", b"")),
    "open brackets": (JSON, filled(b"", b"[", b"")),
    "open objects": (JSON, filled(b"", b'{"a":', b"")),
    "one event": (SSE, filled(b'data: {"choices":[{"delta":{"content":"', b"x", b'"}}]}\n\n')),
    "one event, no end": (SSE, filled(b"data: ", b"x", b"")),
    "one event of many lines": (SSE, filled(b"", b"data: x\n", b"\n")),
    "many events": (SSE, filled(b"", b"data: " + TOKEN + b"\n\n", b"data: [DONE]\n\n")),
    "many empty events": (SSE, filled(b"", b"data:\n\n", b"")),
    "blank lines": (SSE, filled(b"data: x\n", b"\n", b"")),
    "CR": (SSE, filled(b"data: x\n", b"\r", b"")),
    "comments": (SSE, filled(b"", b":\n", b"")),
    "fragments of one call": (SSE, filled(b"", _FRAGMENT, b"data: [DONE]\n\n")),
    "one line": (LINES, filled(b'{"message":{"content":"', b"x", b'"}}\n')),
    "many lines": (LINES, filled(b"", b'{"message":{"content":"a"}}\n', b'{"done":true}\n')),
    "lines that are none": (LINES, filled(b"", b"{\n", b"")),
    "packed": (JSON + b"\r\nContent-Encoding: gzip", lambda size: gzip.compress(b"x" * size, 1)),
}
NATIVE = {LINES: "/api/chat"}


def call(content_type: bytes, body: bytes, request: bytes = b'{"model":"m","stream":true}') -> Exchange:
    """A call with this answer, which came in pieces of 64 KiB."""
    target = NATIVE.get(content_type, "/v1/chat/completions")
    known: dict[str, Any] = {"call_id": "c", "request_id": "r", "started_unix_ns": 1, "method": "POST"}
    sizes = [65536] * (len(body) // 65536) + [len(body) % 65536]
    return Exchange(
        finished=Finished(**known, target=target, status=200, upstream_status=200, upstream_kind="ollama"),
        request_body=request,
        answer_head=b"Content-Type: " + content_type + b"\r\n",
        answer_body=body,
        pieces=tuple((0.001 * place, size) for place, size in enumerate(sizes)),
    )


def cpu_s(exchange: Exchange) -> float:
    began = time.thread_time()
    read_call(exchange)
    return time.thread_time() - began


@pytest.mark.parametrize("name", BODIES)
def test_reading_an_answer_is_linear(name: str) -> None:
    content_type, body = BODIES[name]
    assert_linear(call(content_type, body(LARGE // 4)), call(content_type, body(LARGE)))


@pytest.mark.parametrize("filling", [b'{"role":"user","content":"x"},', b"[", b'{"a":', b"1,", b'"\\ud83d",'])
def test_reading_a_request_is_linear(filling: bytes) -> None:
    small, large = (filled(b'{"model":"m","messages":[', filling, b"0]}")(size) for size in (LARGE // 4, LARGE))
    assert_linear(call(JSON, b"{}", small), call(JSON, b"{}", large))


def assert_linear(small: Exchange, large: Exchange) -> None:
    """A quadratic reader would take 16 times as long for four times as much. The machine may be busy: three tries."""
    ratios = []
    for _ in range(3):
        ratios.append(cpu_s(large) / max(cpu_s(small), 0.02))
        if ratios[-1] < 8:
            return
    raise AssertionError(ratios)


@pytest.mark.parametrize("content_type", [SSE, LINES])
def test_a_line_over_the_bound_is_passed_over_and_what_follows_is_read(content_type: bytes) -> None:
    """10 MB on one line, then the rest of the stream."""
    stop = b'{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}'
    head, token, end = {
        SSE: (b"data: ", b"data: " + stop + b"\n\n", b"\n\n"),
        LINES: (b"", b'{"message":{"content":"a"},"done":true,"done_reason":"stop"}\n', b"\n"),
    }[content_type]
    long = head + b'{"choices":[{"delta":{"content":"' + b"x" * LARGE + b'"}}]}' + end
    assert len(long) > LINE_BYTES

    record, meaning = read_call(call(content_type, long + token))

    assert (meaning.text, meaning.unread, meaning.events) == ("a", "bound", 2)
    assert (record.outcome, record.tokens_source) == ("ok", "missing")


@pytest.mark.parametrize(("content_type", "line"), [(SSE, b":\n"), (SSE, b"data: {}\n\n"), (LINES, b"{\n")])
def test_lines_beyond_the_bound_are_not_looked_at(content_type: bytes, line: bytes) -> None:
    """Millions of lines would hold the observer up for a minute."""
    token = b"data: " + TOKEN + b"\n\n" if content_type == SSE else b'{"message":{"content":"a"}}\n'
    body = token + line * (LARGE // len(line)) + token

    _, meaning = read_call(call(content_type, body))

    assert (meaning.text, meaning.unread) == ("a", "bound")
