"""The tables of docs/dialects.md, cell by cell: each field is read where they say, and where they say `-` from nowhere.

A cell's words in backticks are its sources. Each has an answer here that holds its value there and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.core.exchange import Exchange, Finished
from proxy.wire.answers import read_meaning
from proxy.wire.body import look_at
from proxy.wire.meaning import Durations, Meaning
from proxy.wire.routes import match
from tests.wire.recordings import exchange_of, load, names

DOC = (Path(__file__).parents[2] / "docs" / "dialects.md").read_text()
PATHS = {
    "openai_chat": "/v1/chat/completions",
    "openai_completions": "/v1/completions",
    "openai_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
    "ollama_chat": "/api/chat",
    "ollama_generate": "/api/generate",
    "openai_embeddings": "/v1/embeddings",
    "ollama_embed": "/api/embed",
    "ollama_embeddings": "/api/embeddings",
}

# Row of a table -> (what the reader says of it, the value that all answers below hold).
FIELDS: dict[str, tuple[Callable[[Meaning], Any], Any]] = {
    "text": (lambda m: m.text, "X"),
    "reasoning": (lambda m: m.reasoning, "X"),
    "tool calls": (lambda m: [(call.name, json.loads(call.arguments)) for call in m.tool_calls], [("f", {"a": 1})]),
    "refusal": (lambda m: m.refusal, "X"),
    "finish reason": (lambda m: m.finish_reason, "X"),
    "end mark": (lambda m: m.done, True),
    "error": (lambda m: m.error and m.error.message, "X"),
    "model that answered": (lambda m: m.model, "X"),
    "service tier": (lambda m: m.service_tier, "X"),
    "system fingerprint": (lambda m: m.system_fingerprint, "X"),
    "prompt tokens": (lambda m: m.tokens.prompt, 7),
    "completion tokens": (lambda m: m.tokens.completion, 7),
    "cached tokens": (lambda m: m.tokens.cached, 3),
    "cache writes": (lambda m: m.tokens.cache_write_1h or m.tokens.cache_write, 3),
    "reasoning tokens": (lambda m: m.tokens.reasoning, 3),
    "audio tokens": (lambda m: m.tokens.audio_prompt or m.tokens.audio_completion, 3),
    "log probabilities": (lambda m: m.logprobs and m.logprobs.mean, -0.5),
    "times (load, prompt, generation, queue)": (lambda m: m.durations and _told_ns(m.durations), [7]),
    "times (load)": (lambda m: m.durations and _told_ns(m.durations), [7]),
    "cost (LiteLLM's own)": (lambda m: m.reported_cost_usd or (m.litellm and float(m.litellm.cost_usd or 0)), 0.5),
}

Answer = dict[str, Any] | list[Any] | bytes | None  # plain, streamed, a line of the head; None = a word, no source
LINE = {"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]}


def _told_ns(durations: Durations) -> list[int]:
    found = (durations.total_ns, durations.load_ns, durations.prompt_eval_ns, durations.eval_ns)
    return [value for value in found if value is not None]


def message(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": fields}]}


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, **fields}]}


def usage(prompt: str = "prompt_tokens", completion: str = "completion_tokens", **more: Any) -> dict[str, Any]:
    return {"usage": {prompt: 7, completion: 7, **more}}


def said(**usage_fields: Any) -> dict[str, Any]:
    """Usage of /v1/responses."""
    return usage("input_tokens", "output_tokens", **usage_fields)


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"output": [{"type": kind, **fields}]}


def part(**fields: Any) -> dict[str, Any]:
    return item("message", content=[fields])


def ending(kind: str) -> list[Any]:
    return [{"type": f"response.{kind}", "response": {"status": kind, "output": []}}]


CALL = {"name": "f", "arguments": '{"a":1}'}
CUSTOM = {"name": "f", "input": '{"a":1}'}
INPUT = {"type": "response.custom_tool_call_input.delta", "item_id": "i", "delta": '{"a":1}'}
ADDED_CUSTOM = {"type": "response.output_item.added", "item": {"type": "custom_tool_call", "id": "i", "name": "f"}}
LOGPROB = {"logprob": -0.5}
COST = b"x-litellm-response-cost: 0.5"
ARGUMENTS = {"type": "response.function_call_arguments.delta", "item_id": "i", "delta": '{"a":1}'}
ADDED = {"type": "response.output_item.added", "item": {"type": "function_call", "id": "i", "name": "f"}}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f"}}
FRAGMENT = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}}


def block_delta(**delta: Any) -> list[Any]:
    return [{"type": "content_block_delta", "index": 0, "delta": delta}]


def opened(**message_fields: Any) -> list[Any]:
    return [{"type": "message_start", "message": message_fields}]


def delta_usage(**fields: Any) -> list[Any]:
    return [{"type": "message_delta", "delta": {}, "usage": {"input_tokens": 4, "output_tokens": 7, **fields}}]


def openai_usage(details: str) -> dict[str, Answer]:
    return {details: usage(**_nested(details))}


def _nested(path: str, value: int = 3) -> dict[str, Any]:
    outer, _, inner = path.partition(".")
    return {outer: {inner: value}} if inner else {outer: value}


def all_of(*paths: str, of: Callable[..., dict[str, Any]] = usage) -> dict[str, Answer]:
    return {path: of(**_nested(path)) for path in paths}


# (row, dialect) -> source as the cell names it -> an answer that holds the value there.
CELLS: dict[tuple[str, str], dict[str, Answer]] = {
    ("text", "openai_chat"): {
        "message.content": message(content="X"),
        "delta.content": [choice(delta={"content": "X"})],
        "audio.transcript": [choice(delta={"audio": {"transcript": "X"}})],
    },
    ("text", "openai_completions"): {"choices[].text": choice(text="X")},
    ("text", "openai_responses"): {
        "output[].content[].text": part(text="X"),
        "response.output_text.delta": [{"type": "response.output_text.delta", "delta": "X"}],
    },
    ("text", "anthropic_messages"): {
        "content[].text": {"content": [{"type": "text", "text": "X"}]},
        "delta.text": block_delta(text="X"),
    },
    ("text", "ollama_chat"): {"message.content": [{"message": {"content": "X"}}]},
    ("text", "ollama_generate"): {"response": [{"response": "X"}]},
    ("reasoning", "openai_chat"): {
        "reasoning": [choice(delta={"reasoning": "X"})],
        "reasoning_content": [choice(delta={"reasoning_content": "X"})],
        "reasoning_details[].text": [choice(delta={"reasoning_details": [{"type": "reasoning.text", "text": "X"}]})],
        "reasoning_details[].summary": message(reasoning_details=[{"type": "reasoning.summary", "summary": "X"}]),
    },
    ("reasoning", "openai_responses"): {
        "reasoning": item("reasoning", summary=[{"text": "X"}]),
        "response.reasoning_summary_text.delta": [{"type": "response.reasoning_summary_text.delta", "delta": "X"}],
        "response.reasoning_text.delta": [{"type": "response.reasoning_text.delta", "delta": "X"}],
    },
    ("reasoning", "anthropic_messages"): {
        "content[].thinking": {"content": [{"type": "thinking", "thinking": "X"}]},
        "delta.thinking": block_delta(thinking="X"),
    },
    ("reasoning", "ollama_chat"): {"message.thinking": [{"message": {"thinking": "X"}}]},
    ("reasoning", "ollama_generate"): {"thinking": [{"thinking": "X"}]},
    ("tool calls", "openai_chat"): {
        "tool_calls": message(tool_calls=[{"id": "t", "function": CALL}]),
        "function.arguments": message(tool_calls=[{"id": "t", "function": CALL}]),
        "custom.input": message(tool_calls=[{"id": "t", "custom": CUSTOM}]),
        "function_call": message(function_call=CALL),
    },
    ("tool calls", "openai_responses"): {
        "function_call": item("function_call", call_id="t", **CALL),
        "custom_tool_call": item("custom_tool_call", call_id="t", **CUSTOM),
        "response.function_call_arguments.delta": [ADDED, ARGUMENTS],
        "response.custom_tool_call_input.delta": [ADDED_CUSTOM, INPUT],
    },
    ("tool calls", "anthropic_messages"): {
        "tool_use": {"content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
        "input_json_delta": [BLOCK, FRAGMENT],
    },
    ("tool calls", "ollama_chat"): {
        "message.tool_calls": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}}]
    },
    ("refusal", "openai_chat"): {"refusal": [choice(delta={"refusal": "X"})]},
    ("refusal", "openai_responses"): {
        "output[].content[].refusal": part(refusal="X"),
        "response.refusal.delta": [{"type": "response.refusal.delta", "delta": "X"}],
    },
    ("refusal", "anthropic_messages"): {"refusal": None},
    ("finish reason", "openai_chat"): {"finish_reason": [choice(delta={}, finish_reason="X")]},
    ("finish reason", "openai_completions"): {"finish_reason": choice(finish_reason="X")},
    ("finish reason", "openai_responses"): {
        "status": {"status": "X"},
        "incomplete": None,
        "incomplete_details.reason": {"status": "incomplete", "incomplete_details": {"reason": "X"}},
    },
    ("finish reason", "anthropic_messages"): {
        "stop_reason": {"stop_reason": "X"},
        "delta.stop_reason": [{"type": "message_delta", "delta": {"stop_reason": "X"}}],
    },
    ("finish reason", "ollama_chat"): {"done_reason": [{"done": True, "done_reason": "X"}]},
    ("finish reason", "ollama_generate"): {"done_reason": [{"done": True, "done_reason": "X"}]},
    ("end mark", "openai_chat"): {"[DONE]": [LINE, b"[DONE]"]},
    ("end mark", "openai_completions"): {"[DONE]": [LINE, b"[DONE]"]},
    ("end mark", "openai_responses"): {
        f"response.{kind}": ending(kind) for kind in ("completed", "incomplete", "failed", "cancelled")
    },
    ("end mark", "anthropic_messages"): {"message_stop": [{"type": "message_stop"}]},
    ("end mark", "ollama_chat"): {'"done":true': [{"done": True}]},
    ("end mark", "ollama_generate"): {'"done":true': [{"done": True}]},
    ("error", "openai_responses"): {
        "error": {"error": {"message": "X"}},
        "type: error": [{"type": "error", "message": "X"}],
    },
    ("error", "anthropic_messages"): {"error": [{"type": "error", "error": {"message": "X"}}]},
    ("model that answered", "openai_chat"): {"model": {"model": "X"}},
    ("model that answered", "openai_completions"): {"model": {"model": "X"}},
    ("model that answered", "openai_responses"): {
        "model": {"model": "X"},
        "response.model": [{"type": "response.created", "response": {"model": "X"}}],
    },
    ("model that answered", "anthropic_messages"): {"model": {"model": "X"}, "message.model": opened(model="X")},
    ("service tier", "openai_chat"): {"service_tier": {"service_tier": "X"}},
    ("service tier", "openai_completions"): {"service_tier": {"service_tier": "X"}},
    ("service tier", "openai_responses"): {"service_tier": {"service_tier": "X"}},
    ("service tier", "anthropic_messages"): {
        "usage.service_tier": {"usage": {"service_tier": "X"}},
        "message.usage.service_tier": opened(usage={"service_tier": "X"}),
    },
    ("system fingerprint", "openai_chat"): {"system_fingerprint": {"system_fingerprint": "X"}},
    ("system fingerprint", "openai_completions"): {"system_fingerprint": {"system_fingerprint": "X"}},
    ("prompt tokens", "openai_chat"): {"usage.prompt_tokens": usage()},
    ("prompt tokens", "openai_completions"): {"usage.prompt_tokens": usage()},
    ("prompt tokens", "openai_responses"): {"usage.input_tokens": said()},
    ("prompt tokens", "anthropic_messages"): {
        "usage.input_tokens": {
            "usage": {"input_tokens": 4, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1}
        },
        "message_delta": delta_usage(cache_read_input_tokens=3),
    },
    ("prompt tokens", "ollama_chat"): {"prompt_eval_count": [{"done": True, "prompt_eval_count": 7}]},
    ("prompt tokens", "ollama_generate"): {"prompt_eval_count": [{"done": True, "prompt_eval_count": 7}]},
    ("completion tokens", "openai_chat"): {"usage.completion_tokens": [{"choices": [], **usage()}]},
    ("completion tokens", "openai_completions"): {"usage.completion_tokens": usage()},
    ("completion tokens", "openai_responses"): {"usage.output_tokens": said()},
    ("completion tokens", "anthropic_messages"): {
        "usage.output_tokens": {"usage": {"output_tokens": 7}},
        "message_delta": delta_usage(),
    },
    ("completion tokens", "ollama_chat"): {"eval_count": [{"done": True, "eval_count": 7}]},
    ("completion tokens", "ollama_generate"): {"eval_count": [{"done": True, "eval_count": 7}]},
    ("cached tokens", "openai_chat"): all_of(
        "prompt_tokens_details.cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens"
    ),
    ("cached tokens", "openai_completions"): all_of("prompt_tokens_details.cached_tokens"),
    ("cached tokens", "openai_responses"): all_of("input_tokens_details.cached_tokens", of=said),
    ("cached tokens", "anthropic_messages"): all_of("cache_read_input_tokens", of=said),
    ("cache writes", "openai_chat"): all_of(
        "prompt_tokens_details.cache_write_tokens",
        "prompt_tokens_details.cache_creation_tokens",
        "cache_creation_input_tokens",
    ),
    ("cache writes", "openai_completions"): all_of("prompt_tokens_details.cache_write_tokens"),
    ("cache writes", "openai_responses"): all_of("input_tokens_details.cache_write_tokens", of=said),
    ("cache writes", "anthropic_messages"): {
        **all_of("cache_creation_input_tokens", of=said),
        "cache_creation.ephemeral_1h_input_tokens": said(
            cache_creation_input_tokens=5, cache_creation={"ephemeral_1h_input_tokens": 3}
        ),
    },
    ("reasoning tokens", "openai_chat"): all_of("completion_tokens_details.reasoning_tokens"),
    ("reasoning tokens", "openai_completions"): all_of("completion_tokens_details.reasoning_tokens"),
    ("reasoning tokens", "openai_responses"): all_of("output_tokens_details.reasoning_tokens", of=said),
    ("reasoning tokens", "ollama_chat"): {"eval_count": None},
    ("reasoning tokens", "ollama_generate"): {"eval_count": None},
    ("audio tokens", "openai_chat"): all_of(
        "prompt_tokens_details.audio_tokens", "completion_tokens_details.audio_tokens"
    ),
    ("audio tokens", "openai_responses"): all_of(
        "input_tokens_details.audio_tokens", "output_tokens_details.audio_tokens", of=said
    ),
    ("log probabilities", "openai_chat"): {"logprobs.content[]": choice(logprobs={"content": [LOGPROB]})},
    ("log probabilities", "openai_completions"): {
        "logprobs.token_logprobs[]": choice(text="x", logprobs={"token_logprobs": [-0.5]}),
        "logprobs.content[]": choice(text="x", logprobs={"content": [LOGPROB]}),
    },
    ("log probabilities", "openai_responses"): {"output[].content[].logprobs[]": part(text="x", logprobs=[LOGPROB])},
    ("log probabilities", "ollama_chat"): {"logprobs[]": [{"logprobs": [LOGPROB]}]},
    ("log probabilities", "ollama_generate"): {"logprobs[]": [{"logprobs": [LOGPROB]}]},
    ("times (load)", "ollama_embed"): {"load_duration": {"load_duration": 7}},
    ("prompt tokens", "openai_embeddings"): {"usage.prompt_tokens": {"data": [1], "usage": {"prompt_tokens": 7}}},
    ("completion tokens", "openai_embeddings"): {"usage.completion_tokens": {"data": [1], **usage()}},
    ("model that answered", "openai_embeddings"): {"model": {"model": "X"}},
    ("prompt tokens", "ollama_embed"): {"prompt_eval_count": {"embeddings": [[1]], "prompt_eval_count": 7}},
    ("model that answered", "ollama_embed"): {"model": {"model": "X"}},
    ("cost (LiteLLM's own)", "anthropic_messages"): {
        "x-litellm-response-cost": COST,
        "usage.cost": delta_usage(cost=0.5),
        "message_delta": delta_usage(cost=0.5),
    },
    ("cost (LiteLLM's own)", "openai_responses"): {"x-litellm-response-cost": COST, "usage.cost": said(cost=0.5)},
}
for _dialect in ("openai_chat", "openai_completions"):
    CELLS["cost (LiteLLM's own)", _dialect] = {"x-litellm-response-cost": COST, "usage.cost": usage(cost=0.5)}
for _dialect in ("ollama_chat", "ollama_generate"):
    CELLS["model that answered", _dialect] = {"model": [{"model": "X"}]}
    CELLS["times (load, prompt, generation, queue)", _dialect] = {
        f"{name}_duration": [{"done": True, f"{name}_duration": 7}] for name in ("load", "prompt_eval", "eval", "total")
    }
for _dialect in PATHS:
    CELLS.setdefault(("error", _dialect), {"error": {"error": {"message": "X"}}})


def cells() -> dict[tuple[str, str], list[str]]:
    """(row, column) -> words in backticks of each cell of both tables."""
    found: dict[tuple[str, str], list[str]] = {}
    for table in re.findall(r"^\| field \| (?:openai|ollama).*\n(?:\|.*\n)+", DOC, re.MULTILINE):
        heads, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
        for name, *cells_of_row in rows:
            for column, cell in zip(heads[1:], cells_of_row, strict=True):
                found[name.strip("| "), column.strip("| ")] = re.findall(r"`([^`]+)`", cell)
    return found


def dialects(column: str) -> list[str]:
    return [name.strip() for name in column.split(",")]


def read(dialect: str, answer: dict[str, Any] | list[Any] | bytes) -> Meaning:
    head, body = b"Content-Type: application/json\r\n", b"{}"
    if isinstance(answer, bytes):
        head += answer + b"\r\n"
        body = json.dumps(LINE).encode()
    elif isinstance(answer, dict):
        body = json.dumps(answer).encode()
    elif dialect.startswith("ollama_"):
        head = b"Content-Type: application/x-ndjson\r\n"
        body = b"".join(json.dumps(line).encode() + b"\n" for line in answer)
    else:
        head = b"Content-Type: text/event-stream\r\n"
        datas = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in answer]
        body = b"".join(b"data: " + data + b"\n\n" for data in datas)
    finished = Finished(
        call_id="c", request_id="r", started_unix_ns=1, method="POST", target=PATHS[dialect], upstream_status=200
    )
    exchange = Exchange(finished=finished, answer_head=head, answer_body=body)
    return read_meaning(exchange, match(finished.target), look_at(exchange))


def test_the_tables_are_found_and_name_all_dialects() -> None:
    columns = {name for _, column in cells() for name in dialects(column)}
    assert (columns, len(cells())) == (set(PATHS), 19 * 5 + 5 * 3)
    assert {row for row, _ in cells()} == set(FIELDS)


@pytest.mark.parametrize(("row", "column"), cells())
def test_a_cell_names_the_sources_that_are_read(row: str, column: str) -> None:
    told = [word for dialect in dialects(column) for word in CELLS.get((row, dialect), {})]
    assert sorted(set(told)) == sorted(set(cells()[row, column]))


@pytest.mark.parametrize(
    ("row", "dialect", "source"),
    [(*cell, source) for cell, sources in CELLS.items() for source, answer in sources.items() if answer is not None],
)
def test_a_source_is_read(row: str, dialect: str, source: str) -> None:
    answer = CELLS[row, dialect][source]
    assert answer is not None
    get, value = FIELDS[row]
    assert get(read(dialect, answer)) == value


@pytest.mark.parametrize(
    ("row", "dialect"),
    [
        (row, dialect)
        for row, column in cells()
        for dialect in dialects(column)
        if all(answer is None for answer in CELLS.get((row, dialect), {}).values())
    ],
)
def test_what_a_dialect_does_not_tell_is_told_by_none_of_its_recordings(row: str, dialect: str) -> None:
    get = FIELDS[row][0]
    of_dialect = [name for name in names() if load(name).target == PATHS[dialect] and load(name).method == "POST"]
    assert of_dialect
    for name in of_dialect:
        exchange = exchange_of(load(name))
        assert not get(read_meaning(exchange, match(exchange.finished.target), look_at(exchange))), name
