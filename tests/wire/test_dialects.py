"""What the recordings do not hold: OpenAI and Anthropic themselves, vLLM, old forms. Shapes from their API docs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.core.usage import TokenCounts
from proxy.wire.answers import READERS
from proxy.wire.draft import Draft
from proxy.wire.errors import word_of_error, word_of_status
from proxy.wire.meaning import ToolCall, WireError
from proxy.wire.routes import Dialect
from proxy.wire.usage import anthropic_usage, believed, openai_usage


def read(dialect: Dialect, *events: dict[str, Any] | bytes) -> Draft:
    """A stream of these events."""
    draft = Draft()
    reader = READERS[dialect].events
    assert reader is not None
    datas = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    reader(draft, [(data, 100 * place) for place, data in enumerate(datas, start=1)])
    return draft


def read_whole(dialect: Dialect, said: dict[str, Any]) -> Draft:
    draft = Draft()
    READERS[dialect].whole(draft, said)
    return draft


def delta(index: int = 0, **said: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": said, "finish_reason": None}]}


def test_spoken_answers_are_tokens_and_their_transcript_is_text() -> None:
    """OpenAI's audio models: no `content`, the sound in base64, and what it says."""
    draft = read("openai_chat", delta(audio={"id": "a", "transcript": "Hi"}), delta(audio={"data": "UklGR"}))
    assert ("".join(draft.text), draft.token_ends) == ("Hi", [100, 200])


def test_argument_fragments_are_joined_by_index() -> None:
    def piece(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        return delta(tool_calls=[{"index": index, "function": {"arguments": arguments}, **more}])

    draft = read(
        "openai_chat",
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]),
        piece(0, '{"x"'),
        delta(tool_calls=[{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]),
        piece(0, ":1}"),
    )
    assert [call.settle() for call in draft.calls] == [
        ToolCall(id="a", name="f", arguments='{"x":1}', arguments_valid=True),
        ToolCall(id="b", name="g", arguments="{}", arguments_valid=True),
    ]
    assert draft.token_ends == [100, 200, 300, 400]


def test_custom_tools_take_text() -> None:
    """OpenAI's `custom` tools: `input` in place of `arguments`, and no JSON."""
    streamed = read(
        "openai_chat",
        delta(tool_calls=[{"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": ""}}]),
        delta(tool_calls=[{"index": 0, "custom": {"input": "SELECT"}}]),
        delta(tool_calls=[{"index": 0, "custom": {"input": " 1"}}]),
    )
    plain = read_whole("openai_chat", {"choices": [{"index": 0, "message": {
        "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]}}]})  # fmt: skip

    expected = [ToolCall(id="a", name="sql", arguments="SELECT 1", arguments_valid=None)]
    assert [call.settle() for call in streamed.calls] == expected
    assert [call.settle() for call in plain.calls] == expected
    assert streamed.token_ends == [100, 200, 300]


def test_custom_tools_of_responses_take_text() -> None:
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "a", "name": "sql", "input": ""}
    done = {"type": "response.completed", "response": {"status": "completed", "output": [item | {"input": "SELECT 1"}]}}
    events = [
        {"type": "response.output_item.added", "item": item},
        {"type": "response.custom_tool_call_input.delta", "item_id": "ctc_1", "delta": "SELECT"},
        {"type": "response.custom_tool_call_input.delta", "item_id": "ctc_1", "delta": " 1"},
    ]
    expected = [ToolCall(id="a", name="sql", arguments="SELECT 1", arguments_valid=None)]

    broken_off, whole = read("openai_responses", *events), read("openai_responses", *events, done)

    assert [call.settle() for call in broken_off.calls] == expected
    assert [call.settle() for call in whole.calls] == expected
    assert broken_off.token_ends == [100, 200, 300]


def test_reasoning_in_details_is_read_once() -> None:
    """OpenRouter tells it twice, or in `reasoning_details` alone; what is encrypted is no text."""
    details = [{"type": "reasoning.text", "text": "Let me"}, {"type": "reasoning.encrypted", "data": "AAAA"}]
    summary = [{"type": "reasoning.summary", "summary": " think"}]
    draft = read(
        "openai_chat",
        delta(reasoning_details=details),
        delta(reasoning=" now", reasoning_details=[{"type": "reasoning.text", "text": " now"}]),
        delta(reasoning_details=summary),
        delta(content="Yes", reasoning_details=[{"type": "reasoning.encrypted", "data": "BBBB"}]),
        delta(reasoning_details="rubbish"),
    )

    assert ("".join(draft.reasoning), "".join(draft.text)) == ("Let me now think", "Yes")
    assert draft.token_ends == [100, 200, 300, 400]
    assert draft.first_answer_token is not None
    assert draft.first_answer_token.event == 3


def test_a_role_only_opener_and_junk_are_no_tokens() -> None:
    draft = read("openai_chat", delta(role="assistant", content=""), delta(content=None), delta(content="a"))
    assert draft.first_token is not None
    assert (draft.first_token.event, draft.first_token.end) == (2, 300)


def test_refusals_and_parts_are_text() -> None:
    draft = read("openai_chat", delta(refusal="I can"), delta(refusal="not"), delta(content=[{"text": "x"}]))
    assert ("".join(draft.refusal), "".join(draft.text)) == ("I cannot", "x")


def test_of_several_choices_the_first_is_told_and_all_are_timed() -> None:
    draft = read("openai_chat", delta(content="a"), delta(index=1, content="b"), delta(content="c"))
    assert ("".join(draft.text), draft.token_ends) == ("ac", [100, 200, 300])


def test_running_counts_beside_tokens_are_left_alone() -> None:
    """vLLM's continuous_usage_stats: a stream cut off must not report the count of its first token."""
    running = {**delta(content="a"), "usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    assert read("openai_chat", running, running).counts is None


def test_nothing_behind_the_end_mark_counts() -> None:
    draft = read("openai_chat", delta(content="a"), b"[DONE]", delta(content="b"))
    assert ("".join(draft.text), draft.done, draft.events) == ("a", True, 2)


def test_an_error_event_is_read() -> None:
    draft = read("openai_chat", delta(content="a"), {"error": {"message": "m", "type": None, "code": "429"}})
    assert draft.error == WireError(message="m", code="429")
    assert word_of_error(draft.error) == "rate_limit"


def test_responses_incomplete_says_why_and_failed_is_an_error() -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
    draft = read("openai_responses", {"type": "response.incomplete", "response": cut})
    assert (draft.finish_reason, draft.done) == ("max_output_tokens", True)
    failed = {"status": "failed", "error": {"code": "server_error", "message": "m"}}
    draft = read("openai_responses", {"type": "response.failed", "response": failed})
    assert draft.error == WireError(message="m", code="server_error")
    draft = read("openai_responses", {"type": "error", "message": "m", "code": "x"})
    assert draft.error == WireError(message="m", code="x")


def test_anthropics_own_usage_is_in_two_events() -> None:
    """message_start has the prompt, message_delta the answer; caches are added to the prompt."""
    start = {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2, "output_tokens": 1}
    opening = {"type": "message_start", "message": {"id": "m", "usage": start}}
    draft = read("anthropic_messages", opening, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7}})
    assert draft.counts == TokenCounts(prompt=17, completion=7, cached=5, cache_write=2)
    assert read("anthropic_messages", opening).counts is None


def test_an_anthropic_tool_without_input_has_an_empty_object() -> None:
    draft = read_whole("anthropic_messages", {"content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]})
    assert draft.calls[0].settle().arguments == "{}"


def test_old_ollama_calls_without_ids_stay_apart() -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    draft = read("ollama_chat", {"message": {"tool_calls": [call]}}, {"message": {"tool_calls": [call]}})
    assert [made.settle().arguments for made in draft.calls] == ['{"a": 1}', '{"a": 1}']


def test_plain_calls_without_index_stay_apart() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    draft = read_whole("openai_chat", {"choices": [{"message": {"tool_calls": [call, call]}}]})
    assert len(draft.calls) == 2


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        (
            "openai_chat",
            {"choices": [{"logprobs": {"content": [{"logprob": -1.0}, {"logprob": -3}, {"logprob": "x"}]}}]},
        ),
        ("openai_completions", {"choices": [{"text": "", "logprobs": {"token_logprobs": [None, -1.0, -3.0]}}]}),
        ("ollama_chat", {"logprobs": [{"logprob": -1.0}, {"logprob": -3.0}, {"logprob": 1e400}]}),
    ],
)
def test_log_probabilities_are_summed_up(dialect: Dialect, said: dict[str, Any]) -> None:
    draft = read_whole(dialect, said)
    assert (draft.logprob_count, draft.logprob_sum) == (2, -4.0)


def test_details_of_usage_are_taken() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 3, "cache_write_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": 2},
    }
    assert openai_usage(usage) == TokenCounts(
        prompt=100, completion=20, reasoning=7, cached=60, cache_write=4, audio_prompt=3, audio_completion=2
    )
    assert openai_usage({"prompt_tokens": 2**70, "completion_tokens": -1}) == TokenCounts()
    assert openai_usage({"prompt_tokens": True, "prompt_cache_hit_tokens": 3}) == TokenCounts(cached=3)
    assert anthropic_usage({"input_tokens": 2**63 - 1, "cache_read_input_tokens": 1}).prompt is None


def test_zeros_that_the_answer_contradicts_are_unknown() -> None:
    zeros = TokenCounts(prompt=0, completion=0, reasoning=0)
    assert believed(zeros, answered=True, said=True, reasoned=True) == TokenCounts()
    assert believed(zeros, answered=False, said=False, reasoned=False) == zeros


def test_words_of_statuses_are_closed() -> None:
    words = {status: word_of_status(status) for status in range(400, 600)}
    assert (words[400], words[404], words[429], words[500], words[503]) == (
        "invalid_request",
        "not_found",
        "rate_limit",
        "server_error",
        "overloaded",
    )
