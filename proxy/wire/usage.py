"""Token counts from the wire: OpenAI's and Anthropic's `usage`, Ollama's counts, and which of them are none.

No I/O here. Zeros are not always counts: LiteLLM's /v1/completions streams carry a `usage` of zeros in each event,
Ollama's too once asked for it; a plain answer that its repeat guard ended has zeros; Ollama before 0.30.1 says 0 prompt
tokens where its cache held the prompt. So a zero beside what contradicts it is unknown.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from proxy.core.usage import TokenCounts
from proxy.wire.foreign import as_count, as_object

_WITHOUT_PARTS: Final = frozenset({None})
_PLAIN: Final = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})


def openai_usage(usage: dict[str, Any]) -> TokenCounts:
    """Counts of a `usage` of chat, completions, embeddings (prompt_tokens ...) or responses (input_tokens ...)."""
    if usage.keys() == _PLAIN:  # Ollama's, and most others'
        return TokenCounts(prompt=as_count(usage["prompt_tokens"]), completion=as_count(usage["completion_tokens"]))
    prompt_parts = as_object(usage.get("prompt_tokens_details")) or as_object(usage.get("input_tokens_details"))
    answer_parts = as_object(usage.get("completion_tokens_details")) or as_object(usage.get("output_tokens_details"))
    # The top-level names: Anthropic's, kept by LiteLLM, and DeepSeek's.
    return TokenCounts(
        prompt=_first(usage, "prompt_tokens", "input_tokens"),
        completion=_first(usage, "completion_tokens", "output_tokens"),
        reasoning=as_count(answer_parts.get("reasoning_tokens")),
        cached=_either(
            as_count(prompt_parts.get("cached_tokens")),
            _first(usage, "cache_read_input_tokens", "prompt_cache_hit_tokens"),
        ),
        cache_write=_either(
            _first(prompt_parts, "cache_write_tokens", "cache_creation_tokens"),
            as_count(usage.get("cache_creation_input_tokens")),
        ),
        cache_write_1h=as_count(
            as_object(prompt_parts.get("cache_creation_token_details")).get("ephemeral_1h_input_tokens")
        ),
        audio_prompt=as_count(prompt_parts.get("audio_tokens")),
        audio_completion=as_count(answer_parts.get("audio_tokens")),
    )


def anthropic_usage(usage: dict[str, Any]) -> TokenCounts:
    """Counts of Anthropic's `usage`. Its `input_tokens` leaves out what caches served and took; here it is in."""
    plain = as_count(usage.get("input_tokens"))
    cached = as_count(usage.get("cache_read_input_tokens"))
    written = as_count(usage.get("cache_creation_input_tokens"))
    return TokenCounts(
        prompt=None if plain is None else as_count(plain + (cached or 0) + (written or 0)),
        completion=as_count(usage.get("output_tokens")),
        cached=cached,
        cache_write=written,
        cache_write_1h=as_count(as_object(usage.get("cache_creation")).get("ephemeral_1h_input_tokens")),
    )


def ollama_usage(line: dict[str, Any]) -> TokenCounts:
    """Counts of a native answer. Fields that are zero are not on the wire."""
    return TokenCounts(prompt=as_count(line.get("prompt_eval_count")), completion=as_count(line.get("eval_count")))


def is_zero(counts: TokenCounts) -> bool:
    """Whether neither prompt nor completion is told to have had a token."""
    return not counts.prompt and not counts.completion


def believed(counts: TokenCounts, *, answered: bool, said: bool, reasoned: bool) -> TokenCounts:
    """The counts without those that the answer contradicts.

    answered: there is a real answer (text, call, vectors), so there was a prompt. said: tokens were generated.
    reasoned: some of them were reasoning. Parts larger than their whole are unknown too.
    """
    prompt = None if counts.prompt == 0 and answered else counts.prompt
    completion = None if counts.completion == 0 and said else counts.completion
    if _WITHOUT_PARTS.issuperset(msgspec.structs.astuple(counts)[2:]):
        return TokenCounts(prompt=prompt, completion=completion)
    return replace(
        counts,
        prompt=prompt,
        completion=completion,
        reasoning=None if counts.reasoning == 0 and reasoned else _part(counts.reasoning, completion),
        cached=_part(counts.cached, prompt),
        cache_write=_part(counts.cache_write, prompt),
        cache_write_1h=_part(counts.cache_write_1h, counts.cache_write),
        audio_prompt=_part(counts.audio_prompt, prompt),
        audio_completion=_part(counts.audio_completion, completion),
    )


def _part(part: int | None, whole: int | None) -> int | None:
    return None if part is None or whole is None or part > whole else part


def _first(values: dict[str, Any], *names: str) -> int | None:
    for name in names:
        count = as_count(values.get(name))
        if count is not None:
            return count
    return None


def _either(first: int | None, second: int | None) -> int | None:
    return second if first is None else first
