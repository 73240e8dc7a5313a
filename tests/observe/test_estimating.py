"""Estimated tokens: bytes of text / 4, where nobody told or counted any."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from proxy.core.exchange import Exchange, Finished
from proxy.observe.estimating import estimated
from proxy.observe.reading import read_call
from tests.wire.recordings import exchange_of, load

ANSWER: dict[str, Any] = {"choices": [{"index": 0, "message": {"content": "12345678"}, "finish_reason": "stop"}]}
REQUEST: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "1234"}]}


def call(
    request: dict[str, Any] = REQUEST,
    answer: dict[str, Any] = ANSWER,
    target: str = "/v1/chat/completions",
    **finished: Any,
) -> Exchange:
    known: dict[str, Any] = {"call_id": "c", "request_id": "r", "started_unix_ns": 1, "method": "POST"}
    known |= {"target": target, "status": 200, "upstream_status": 200, "upstream_kind": "openai"}
    return Exchange(
        finished=Finished(**{**known, **finished}),
        request_body=json.dumps(request).encode(),
        answer_head=b"Content-Type: application/json\r\n",
        answer_body=json.dumps(answer).encode(),
    )


def counts(exchange: Exchange) -> tuple[int | None, int | None, str]:
    record, meaning = estimated(*read_call(exchange), exchange)
    assert (meaning.tokens.prompt, meaning.tokens.completion) == (record.prompt_tokens, record.completion_tokens)
    assert meaning.tokens_source == record.tokens_source
    return record.prompt_tokens, record.completion_tokens, record.tokens_source


def test_bytes_of_text_by_four() -> None:
    assert counts(call()) == (1, 2, "estimated")


@pytest.mark.parametrize(
    ("said", "tokens"),
    [
        ({"messages": []}, 0),
        ({"messages": [{"content": "12345"}]}, 2),
        ({"messages": [{"content": "é" * 4}]}, 2),
        ({"messages": [{"content": [{"type": "text", "text": "1234"}, {"type": "image_url", "image_url": "x"}]}]}, 1),
        ({"messages": [{"content": "1234"}], "system": "1234", "tools": [{"name": "x" * 99}]}, 2),
        ({"prompt": ["1234", "1234"]}, 2),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "1234"}]}]}, 1),
        ({"messages": 7, "prompt": {"a": 1}, "input": None}, 0),
    ],
)  # fmt: skip
def test_which_texts_of_a_request_count(said: dict[str, Any], tokens: int) -> None:
    assert counts(call({"model": "m", **said}))[0] == tokens


def test_tool_calls_count() -> None:
    message = {"tool_calls": [{"id": "a", "function": {"name": "1234", "arguments": '{"a":1}'}}]}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}

    assert counts(call(answer=answer))[1] == 3


def test_embeddings_generate_nothing() -> None:
    answer = {"data": [{"embedding": [0.1]}]}

    assert counts(call({"model": "m", "input": "1234"}, answer, "/v1/embeddings")) == (1, None, "estimated")


@pytest.mark.parametrize("status", [404, 500, None])
def test_what_was_not_answered_is_not_estimated(status: int | None) -> None:
    assert counts(call(upstream_status=status)) == (None, None, "missing")


def test_what_was_not_kept_is_not_estimated() -> None:
    assert counts(call(request_cut=9)) == (None, 2, "estimated")
    assert counts(replace(call(), answer_body=b"no json")) == (1, None, "estimated")


@pytest.mark.parametrize("name", ["chat-plain", "left-chat-stream-usage", "native-show"])
def test_reported_and_counted_tokens_and_other_paths_stay(name: str) -> None:
    exchange = exchange_of(load(f"ollama-0.33/{name}"))
    before, meaning = read_call(exchange)

    assert estimated(before, meaning, exchange) == (before, meaning)
