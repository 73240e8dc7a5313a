"""Reads /v1/responses. Pure. Its end mark is an event (`response.completed`), [DONE] may follow (LiteLLM) or not.

The last event repeats the output and wins over the deltas: LiteLLM's bridge streams one form of two calls and settles
on another in the end.
"""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from proxy.wire import foreign
from proxy.wire.draft import Draft, Payloads
from proxy.wire.errors import read_error
from proxy.wire.meaning import WireError
from proxy.wire.usage import is_zero, openai_usage

_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
# Ollama numbers its responses, resp_0 to resp_999999; others give long random names.
_OLLAMA_ID: Final = re.compile(r"resp_\d{1,6}")
_CALLS: Final = ("function_call", "custom_tool_call")  # compared, not hashed: a type may be anything
_ARGUMENTS: Final = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
_REASONING: Final = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})


def read_events(draft: Draft, payloads: Payloads) -> None:
    """Read events of a stream into the draft. May be called again with later events."""
    for said, index, end in draft.objects(payloads):
        kind = foreign.as_text(said.get("type"))
        if kind in _ENDS:
            _read_end(draft, foreign.as_object(said.get("response")))
            draft.done = True
        elif kind.endswith(".delta") or kind == "response.output_item.added":
            _read_delta(draft, kind, said, index, end)
        elif kind == "response.created":
            draft.identify(foreign.as_object(said.get("response")))
        elif kind == "error" or "error" in said:
            # OpenAI: {"type":"error","message","code"}; LiteLLM: {"error":{...}}.
            draft.fail(read_error(said) or _bare_error(said))


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read a plain answer into the draft."""
    _read_response(draft, said)
    _read_output(draft, said.get("output"))


def _read_end(draft: Draft, response: dict[str, Any]) -> None:
    _read_response(draft, response)
    final = Draft()
    _read_output(final, response.get("output"))
    # Kind by kind: Ollama 0.24 leaves out the text of an answer that also calls tools.
    draft.text = final.text or draft.text
    draft.reasoning = final.reasoning or draft.reasoning
    draft.refusal = final.refusal or draft.refusal
    draft.calls = final.calls or draft.calls
    draft.logprob_count, draft.logprob_sum = final.logprob_count, final.logprob_sum


def _read_response(draft: Draft, response: dict[str, Any]) -> None:
    draft.identify(response)
    draft.fail(read_error(response))
    status = response.get("status")
    if status == "incomplete":  # max_output_tokens or content_filter says more
        status = foreign.as_object(response.get("incomplete_details")).get("reason") or status
    draft.finish(status)
    usage = foreign.as_object(response.get("usage"))
    counts = openai_usage(usage)
    if _OLLAMA_ID.fullmatch(draft.response_id or ""):
        # Ollama writes both details as zeros, whatever was cached or reasoned.
        counts = replace(counts, cached=counts.cached or None, reasoning=counts.reasoning or None)
    if usage and not (draft.streamed and is_zero(counts)):
        draft.counts = counts
        draft.reported_cost_usd = foreign.as_number(usage.get("cost"))


def _read_output(draft: Draft, output: object) -> None:
    for place, item in enumerate(foreign.as_list(output)):
        item = foreign.as_object(item)
        kind = item.get("type")
        if kind == "message":
            for part in foreign.as_list(item.get("content")):
                part = foreign.as_object(part)
                _append(draft.text, part.get("text"))
                _append(draft.refusal, part.get("refusal"))
                for token in foreign.as_list(part.get("logprobs")):
                    draft.logprob(foreign.as_object(token).get("logprob"))
        elif kind == "reasoning":
            for part in (*foreign.as_list(item.get("summary")), *foreign.as_list(item.get("content"))):
                _append(draft.reasoning, foreign.as_object(part).get("text"))
        elif kind in _CALLS:
            call = draft.call(place, item.get("call_id"), item.get("name"))
            call.custom = kind == "custom_tool_call"
            call.arguments.append(foreign.as_text(item.get("input" if call.custom else "arguments")))


def _append(parts: list[str], text: object) -> None:
    if isinstance(text, str) and text:
        parts.append(text)


def _read_delta(draft: Draft, kind: str, said: dict[str, Any], index: int, end: int) -> None:
    delta = foreign.as_text(said.get("delta"))
    if kind == "response.output_text.delta":
        draft.text.append(delta)
    elif kind in _REASONING:
        draft.reasoning.append(delta)
    elif kind == "response.refusal.delta":
        draft.refusal.append(delta)
    elif kind in _ARGUMENTS:
        draft.call(foreign.as_text(said.get("item_id")), None, None).arguments.append(delta)
    elif kind == "response.output_item.added":
        delta = _read_added(draft, foreign.as_object(said.get("item")))
    else:
        return  # audio, built-in tools
    if delta:
        draft.token(index, end, answer=kind not in _REASONING)


def _read_added(draft: Draft, item: dict[str, Any]) -> str:
    """The called tool's name, which the model made; empty for other items."""
    if item.get("type") not in _CALLS:
        return ""
    call = draft.call(foreign.as_text(item.get("id")), item.get("call_id"), item.get("name"))
    call.custom = item.get("type") == "custom_tool_call"
    return call.name or ""


def _bare_error(said: dict[str, Any]) -> WireError:
    return WireError(
        message=foreign.clean_text(foreign.as_text(said.get("message")))[:500] or None,
        code=foreign.as_name(said.get("code")),
    )
