"""Answer: one answer with what it was asked, as the signals read it. Its texts live in memory only."""

from __future__ import annotations

from typing import Any

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """None: not known, or not told."""

    response: str
    prompt: str = ""  # the last words of the user
    finish_reason: str | None = None
    response_format: Any = None  # as in the request; its `type` says whether JSON was asked for
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    tool_calls: int = 0
    tool_calls_invalid: int = 0
    logprob: float | None = None  # mean of the tokens', natural logarithm

    @property
    def json_asked(self) -> bool:
        """Whether the request wanted JSON: `json_object`, `json_schema`, Ollama's "json" or a schema."""
        wanted = self.response_format
        if isinstance(wanted, dict):
            return wanted.get("type") != "text"
        return wanted == "json" or wanted in ("json_object", "json_schema")
