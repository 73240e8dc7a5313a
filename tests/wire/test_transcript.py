"""Requests of every dialect as lines and tools; the recorded ones, and what SDKs send back."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.wire.answers import request_object
from proxy.wire.routes import match
from proxy.wire.transcript import EMPTY, MOST_ITEMS, Line, read_transcript
from tests.wire.recordings import exchange_of, load, names

WEATHER = Line("call", '{"city":"Paris"}', "get_weather", "call_abc12345")


def transcript_of(name: str) -> Any:
    recording = load(name)
    said = request_object(exchange_of(recording))
    assert said is not None
    return read_transcript(said, match(recording.target).dialect)


@pytest.mark.parametrize("server", ["ollama-0.33", "ollama-0.24", "litellm-1.106"])
def test_a_result_of_a_tool(server: str) -> None:
    found = transcript_of(f"{server}/chat-tool-result")

    assert found.lines == (
        Line("user", "hello"),
        Line("assistant", ""),
        WEATHER,
        Line("result", '{"sky":"blue"}', None, "call_abc12345"),
    )
    assert [tool.name for tool in found.tools] == ["get_weather", "get_time"]
    assert found.tools[0].schema["required"] == ["city"]


@pytest.mark.parametrize(
    "name",
    [
        "ollama-0.33/chat-tools2-plain",
        "ollama-0.33/native-chat-tools-stream",
        "ollama-0.33/messages-tools-stream",
        "ollama-0.33/responses-tools-stream",
        "litellm-1.106/responses-tools-stream",
    ],
)
def test_tools_on_offer_in_every_dialect(name: str) -> None:
    found = transcript_of(name)

    assert [(tool.name, tool.schema["type"]) for tool in found.tools] == [
        ("get_weather", "object"),
        ("get_time", "object"),
    ]
    assert found.lines == (Line("user", "hello"),)


def test_all_recorded_requests_can_be_read() -> None:
    for name in names():
        recording = load(name)
        said = request_object(exchange_of(recording))
        if said is not None:
            found = read_transcript(said, match(recording.target).dialect)
            assert all(isinstance(line, Line) for line in found.lines)


def test_the_dialects_say_the_same() -> None:
    lines = (
        Line("user", "hi"),
        Line("assistant", "Let me see."),
        Line("call", '{"a": 1}', "f", "c1"),
        Line("result", "done", None, "c1"),
    )
    arguments = {"name": "f", "arguments": '{"a": 1}'}
    chat = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [{"id": "c1", "function": arguments}]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "done"}]},
        ]
    }
    messages = {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm."},
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "done"}]},
        ],
    }
    responses = {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
            {"type": "function_call", "call_id": "c1", **arguments},
            {"type": "function_call_output", "call_id": "c1", "output": "done"},
        ],
    }

    for said, dialect in ((chat, "openai_chat"), (messages, "anthropic_messages"), (responses, "openai_responses")):
        found = read_transcript(said, dialect)  # type: ignore[arg-type]
        assert (found.lines, found.system) == (lines, "Be brief.")


def test_flags_names_and_old_forms() -> None:
    block = {"type": "tool_result", "tool_use_id": "c1", "is_error": True, "content": [{"type": "text", "text": "no"}]}
    failed = read_transcript({"messages": [{"role": "user", "content": [block]}]}, "anthropic_messages")
    native = read_transcript({"messages": [{"role": "tool", "tool_name": "f", "content": "x"}]}, "ollama_chat")
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    function = read_transcript({"messages": [old], "functions": [{"name": "f", "parameters": {}}]}, "openai_chat")
    built_in = read_transcript({"tools": [{"type": "web_search"}, 7, {"type": 3}]}, "openai_responses")

    assert failed.lines == (Line("result", "no", None, "c1", True),)
    assert native.lines == (Line("result", "x", "f"),)
    assert function.lines == (Line("assistant", ""), Line("call", "{}", "f"))
    assert [tool.name for tool in function.tools] == ["f"]
    assert [(tool.name, tool.schema) for tool in built_in.tools] == [("web_search", None)]


def test_other_dialects_have_none() -> None:
    assert read_transcript({"messages": [{"role": "user"}]}, "openai_embeddings") is EMPTY


def test_custom_tools_offered_called_and_answered() -> None:
    said = {
        "tools": [{"type": "custom", "custom": {"name": "sql", "format": {"type": "text"}}}],
        "messages": [
            {"role": "assistant", "tool_calls": [
                {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ],
    }  # fmt: skip
    found = read_transcript(said, "openai_chat")

    assert [(tool.name, tool.schema) for tool in found.tools] == [("sql", None)]
    assert found.lines[1:] == (Line("call", "SELECT 1", "sql", "a"), Line("result", "1", None, "a"))


@pytest.mark.parametrize(
    "message",
    [1, {}, {"content": [1] * 99}, {"role": "assistant", "tool_calls": [{}] * 99}, {"images": ["x"] * 99}],
    ids=["numbers", "empty objects", "parts", "calls", "pictures"],
)
def test_more_than_a_conversation_can_have_is_not_read_as_one(message: object) -> None:
    """Millions of them fit into 10 MB, and took the observer 20 s."""
    each = 99 if isinstance(message, dict) and message else 0
    some, many = (count // (1 + each) for count in (MOST_ITEMS, 2 * MOST_ITEMS))

    assert len(read_transcript({"messages": [message] * some}, "openai_chat").lines) >= some
    assert read_transcript({"messages": [message] * many}, "openai_chat") is EMPTY
