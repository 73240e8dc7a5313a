"""Reads native /api/chat: lines of JSON, or one object when not streamed or only loading. Pure.

The last line has `"done":true`, the counts and the times. Tool arguments are an object here, a string on /v1.
"""

from __future__ import annotations

from typing import Any

from proxy.wire import foreign
from proxy.wire.draft import Draft, Payloads
from proxy.wire.errors import read_error
from proxy.wire.meaning import Durations
from proxy.wire.usage import ollama_usage


def read_events(draft: Draft, payloads: Payloads) -> None:
    """Read lines of a stream into the draft. May be called again with later lines."""
    for said, index, end in draft.objects(payloads):
        message = foreign.as_object(said.get("message"))
        spoke, reasoned = _read_message(draft, message)
        if spoke or reasoned:
            draft.token(index, end, answer=spoke)
        read_frame(draft, said)


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read a plain answer into the draft."""
    _read_message(draft, foreign.as_object(said.get("message")))
    read_frame(draft, said)


def read_frame(draft: Draft, said: dict[str, Any]) -> None:
    """What all native lines have around their text: model, error, log probabilities, and the end with its numbers."""
    draft.model = draft.model or foreign.as_name(said.get("model"))
    if "error" in said:
        draft.fail(read_error(said))
    for token in foreign.as_list(said.get("logprobs")):
        draft.logprob(foreign.as_object(token).get("logprob"))
    if said.get("done") is True:
        draft.done = True
        draft.finish(said.get("done_reason"))
        draft.counts = ollama_usage(said)
        draft.durations = read_durations(said)


def read_durations(said: dict[str, Any]) -> Durations:
    """Times of an answer. Fields that are zero are not on the wire."""
    return Durations(
        total_ns=foreign.as_count(said.get("total_duration")),
        load_ns=foreign.as_count(said.get("load_duration")),
        prompt_eval_ns=foreign.as_count(said.get("prompt_eval_duration")),
        eval_ns=foreign.as_count(said.get("eval_duration")),
    )


def _read_message(draft: Draft, message: dict[str, Any]) -> tuple[bool, bool]:
    """Whether it holds answer tokens, and reasoning."""
    text, thought = foreign.as_text(message.get("content")), foreign.as_text(message.get("thinking"))
    draft.text.append(text)
    draft.reasoning.append(thought)
    calls = foreign.as_list(message.get("tool_calls"))
    for call in calls:  # always whole, each its own: old servers give neither id nor index
        call = foreign.as_object(call)
        function = foreign.as_object(call.get("function"))
        arguments = function.get("arguments")
        said = draft.call(len(draft.calls), call.get("id"), function.get("name"))
        said.arguments.append(arguments if isinstance(arguments, str) else foreign.dump_json(arguments))
    return bool(text or calls), bool(thought)
