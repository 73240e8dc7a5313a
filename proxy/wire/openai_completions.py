"""Reads /v1/completions. Pure. Ollama and LiteLLM send zero usage in each event of a stream; the last one is true."""

from __future__ import annotations

from typing import Any

from proxy.wire import foreign
from proxy.wire.draft import Draft, Payloads
from proxy.wire.errors import read_error
from proxy.wire.usage import is_zero, openai_usage


def read_events(draft: Draft, payloads: Payloads) -> None:
    """Read events of a stream into the draft. May be called again with later events."""
    for said, index, end in draft.objects(payloads):
        if _read(draft, said):
            draft.token(index, end, answer=True)


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read a plain answer into the draft."""
    _read(draft, said)


def _read(draft: Draft, said: dict[str, Any]) -> bool:
    """Whether it holds text."""
    draft.identify(said)
    draft.fail(read_error(said))
    _read_usage(draft, foreign.as_object(said.get("usage")))
    spoke = False
    for place, choice in enumerate(foreign.as_list(said.get("choices"))):
        choice = foreign.as_object(choice)
        text = foreign.as_text(choice.get("text"))
        spoke = spoke or bool(text)
        if place == 0 and foreign.as_index(choice.get("index")) == 0:  # n > 1: timed, not told
            draft.text.append(text)
            draft.finish(choice.get("finish_reason"))
            _read_logprobs(draft, foreign.as_object(choice.get("logprobs")))
    return spoke


def _read_usage(draft: Draft, usage: dict[str, Any]) -> None:
    counts = openai_usage(usage)
    if usage and not (draft.streamed and is_zero(counts)):
        draft.counts = counts
        draft.reported_cost_usd = foreign.as_number(usage.get("cost"))


def _read_logprobs(draft: Draft, logprobs: dict[str, Any]) -> None:
    for value in foreign.as_list(logprobs.get("token_logprobs")):  # OpenAI's old form
        draft.logprob(value)
    for token in foreign.as_list(logprobs.get("content")):  # Ollama's, as in chat
        draft.logprob(foreign.as_object(token).get("logprob"))
