"""Calls, as the ledger has them: how they ended, how long each part took, how much went over the wire."""

from __future__ import annotations

from typing import Final

from proxy.core.bounds import BYTES, GAP_SECONDS, OVERHEAD_SECONDS, RATE_TOKENS
from proxy.core.outcomes import OUTCOMES
from proxy.observe.definitions.error_types import ERROR_TYPES
from proxy.observe.definitions.forms import counter, gauge, histogram, words

STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")

CALLS: Final = counter(
    "sightglass_calls_total",
    "Calls that ended.",
    "route",
    "model",
    "upstream",
    "outcome",
    "status_class",
    examples=True,
)
OUTCOMES_TOTAL: Final = counter(
    "sightglass_outcomes_total",
    "Calls that ended, by outcome alone: each word begins at 0, for alert rules.",
    "outcome",
    known=words(OUTCOMES),
)
ERRORS: Final = counter(
    "sightglass_errors_total",
    "Calls that ended with an error, by its type.",
    "type",
    known=words(ERROR_TYPES),
)
DURATION: Final = histogram(
    "sightglass_call_duration_seconds",
    "From acceptance to the end of the answer.",
    "route",
    "model",
    "outcome",
    examples=True,
)
HEADERS: Final = histogram(
    "sightglass_headers_seconds", "From acceptance to the head of the upstream's answer.", "route", "model"
)
FIRST_BYTE: Final = histogram(
    "sightglass_first_byte_seconds", "From acceptance to the first byte of the answer's body.", "route", "model"
)
FIRST_TOKEN: Final = histogram(
    "sightglass_first_token_seconds",
    "From acceptance to the first token of any kind: text, reasoning, tool call.",
    "route",
    "model",
    examples=True,
)
FIRST_ANSWER_TOKEN: Final = histogram(
    "sightglass_first_answer_token_seconds",
    "From acceptance to the first token of the answer itself, reasoning left out.",
    "route",
    "model",
)
PIECE_GAP: Final = histogram(
    "sightglass_piece_gap_seconds",
    "Median time between two pieces with tokens; one value a streamed call.",
    "route",
    "model",
    buckets=GAP_SECONDS,
)
PIECE_GAP_MAX: Final = histogram(
    "sightglass_piece_gap_max_seconds",
    "Longest time between two pieces with tokens; one value a streamed call.",
    "route",
    "model",
    buckets=GAP_SECONDS,
)
QUEUE: Final = histogram("sightglass_queue_seconds", "Waiting inside Ollama, as its durations tell.", "model")
LOAD: Final = histogram("sightglass_load_seconds", "Loading the model, as Ollama says.", "model")
PROMPT_EVAL: Final = histogram("sightglass_prompt_eval_seconds", "Reading the prompt, as Ollama says.", "model")
GENERATION: Final = histogram("sightglass_generation_seconds", "Generating, as Ollama says.", "model")
TOKENS_PER_SECOND: Final = histogram(
    "sightglass_tokens_per_second",
    "Speed of generating: of Ollama's own durations, else from the first token of a stream to its end.",
    "model",
    buckets=RATE_TOKENS,
)
COLD_STARTS: Final = counter(
    "sightglass_cold_starts_total", "Calls whose wait for the first token includes loading the model.", "model"
)
REQUEST_BYTES: Final = histogram("sightglass_request_bytes", "Body that the client sent.", "route", buckets=BYTES)
RESPONSE_BYTES: Final = histogram(
    "sightglass_response_bytes", "Body that the client was handed.", "route", buckets=BYTES
)
LAST_SUCCESS: Final = gauge(
    "sightglass_last_success_timestamp_seconds", "When the last call with outcome ok ended, Unix time.", "upstream"
)
OVERHEAD: Final = histogram(
    "sightglass_relay_overhead_seconds",
    "Our own part of a call: neither client nor connecting nor upstream.",
    buckets=OVERHEAD_SECONDS,
)
