"""Reads /v1/messages. Pure. Its end mark is the event message_stop.

Usage counts only with message_delta, at the end: what message_start says is an estimate (Ollama: characters / 4) or
zeros (LiteLLM). From Anthropic itself message_start has the true prompt, which message_delta may leave out.
"""

from __future__ import annotations

from typing import Any

from proxy.wire import foreign
from proxy.wire.draft import Draft, Payloads
from proxy.wire.errors import read_error
from proxy.wire.usage import anthropic_usage


def read_events(draft: Draft, payloads: Payloads) -> None:
    """Read events of a stream into the draft. The whole stream in one go: message_start's counts wait for the end."""
    opening: dict[str, Any] = {}
    for said, index, end in draft.objects(payloads):
        kind = said.get("type")
        if kind == "content_block_delta":
            _read_delta(draft, said, index, end)
        elif kind == "content_block_start":
            _read_block_start(draft, said, index, end)
        elif kind == "message_start":
            message = foreign.as_object(said.get("message"))
            draft.identify(message)
            opening = foreign.as_object(message.get("usage"))
            draft.service_tier = foreign.as_name(opening.get("service_tier"))
        elif kind == "message_delta":
            draft.finish(foreign.as_object(said.get("delta")).get("stop_reason"))
            usage = foreign.as_object(said.get("usage"))
            if usage:
                draft.counts = anthropic_usage(usage if "input_tokens" in usage else {**opening, **usage})
                draft.reported_cost_usd = foreign.as_number(usage.get("cost"))
        elif kind == "message_stop":
            draft.done = True
        elif kind == "error" or "error" in said:
            draft.fail(read_error(said))


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read a plain answer into the draft."""
    draft.identify(said)
    draft.fail(read_error(said))
    draft.finish(said.get("stop_reason"))
    usage = foreign.as_object(said.get("usage"))
    if usage:
        draft.counts = anthropic_usage(usage)
        draft.service_tier = foreign.as_name(usage.get("service_tier"))
    for place, block in enumerate(foreign.as_list(said.get("content"))):
        block = foreign.as_object(block)
        if block.get("type") == "tool_use":
            call = draft.call(place, block.get("id"), block.get("name"))
            call.arguments.append(foreign.dump_json(block.get("input", {})))
        else:
            draft.text.append(foreign.as_text(block.get("text")))
            draft.reasoning.append(foreign.as_text(block.get("thinking")))


def _read_block_start(draft: Draft, said: dict[str, Any], index: int, end: int) -> None:
    block = foreign.as_object(said.get("content_block"))
    if block.get("type") == "tool_use":
        draft.call(foreign.as_index(said.get("index")), block.get("id"), block.get("name"))
        draft.token(index, end, answer=True)  # the model made the name
        return
    _say(draft, foreign.as_text(block.get("text")), foreign.as_text(block.get("thinking")), index, end)


def _read_delta(draft: Draft, said: dict[str, Any], index: int, end: int) -> None:
    delta = foreign.as_object(said.get("delta"))
    fragment = foreign.as_text(delta.get("partial_json"))
    if fragment:
        draft.call(foreign.as_index(said.get("index")), None, None).arguments.append(fragment)
        draft.token(index, end, answer=True)
        return
    _say(draft, foreign.as_text(delta.get("text")), foreign.as_text(delta.get("thinking")), index, end)


def _say(draft: Draft, text: str, thought: str, index: int, end: int) -> None:
    draft.text.append(text)
    draft.reasoning.append(thought)
    if text or thought:
        draft.token(index, end, answer=bool(text))
