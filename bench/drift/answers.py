"""One answer in the making, and the record that it becomes: tokens and latency are made, as the sources have none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from bench.drift.traffic import Moment

CHARS_PER_TOKEN: Final = 4.1
_TEMPLATE_TOKENS: Final = 12
_FIRST_TOKEN_MS: Final = 220.0
_PROMPT_TOKEN_MS: Final = 0.25
_TOKENS_PER_S: Final = 55.0
_JITTER: Final = 0.08


@dataclass
class Answer:
    """What a model gave to a prompt; faults change it."""

    moment: Moment
    text: str
    finish_reason: str = "stop"
    json_asked: bool = False
    prompt_chars: int | None = None  # what the model saw of the prompt; None = all
    slowness: float = 1.0


def record(answer: Answer, rng: Random) -> dict[str, Any]:
    """The answer as `sightglass drift replay` reads it."""
    prompt = answer.moment.prompt.text
    seen = len(prompt) if answer.prompt_chars is None else answer.prompt_chars
    prompt_tokens = _tokens(seen, rng) + _TEMPLATE_TOKENS
    completion_tokens = _tokens(len(answer.text), rng)
    spent_ms = _FIRST_TOKEN_MS + _PROMPT_TOKEN_MS * prompt_tokens + 1000.0 * completion_tokens / _TOKENS_PER_S
    latency_ms = spent_ms * answer.moment.load * answer.slowness * math.exp(rng.gauss(0, _JITTER))
    return {
        "prompt": prompt,
        "response": answer.text,
        "latency_ms": round(latency_ms, 1),
        "prompt_tokens": prompt_tokens if prompt else None,
        "completion_tokens": completion_tokens,
        "finish_reason": answer.finish_reason,
        "model": "served-model",
        "response_format": {"type": "json_object"} if answer.json_asked else None,
        "in_flight": answer.moment.in_flight,
    }


def _tokens(chars: int, rng: Random) -> int:
    return math.ceil(chars / CHARS_PER_TOKEN * math.exp(rng.gauss(0, 0.04))) if chars else 0
