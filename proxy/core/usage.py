"""Token counts of one call, as pricing needs them."""

from __future__ import annotations

import msgspec


class TokenCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a call in OpenAI's way of counting. None is unknown, never 0.

    `prompt` is everything that was sent, what caches served or took included; `cached`, `cache_write` and
    `audio_prompt` are parts of it. `completion` is everything that was generated; `reasoning` and
    `audio_completion` are parts of it. Anthropic's `input_tokens` leaves the caches out: the reader adds them.
    """

    prompt: int | None = None
    completion: int | None = None
    reasoning: int | None = None
    cached: int | None = None  # read from a cache
    cache_write: int | None = None  # written to a cache, the one-hour part included
    cache_write_1h: int | None = None  # of these, kept for an hour
    audio_prompt: int | None = None
    audio_completion: int | None = None
