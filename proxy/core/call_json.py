"""A record as people's tools read it: the one JSON form for `calls --json`, the log and the console.

Documented field by field in docs/calls.md. What is unknown is absent, never null or 0.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import msgspec

from proxy.core.call import CallRecord
from proxy.core.money import to_usd

# Fields that go by another name outside, because the unit does: a time for people, dollars.
RENAMED: Final = {
    "started_unix_ns": "started_at",
    "cost_nanousd": "cost_usd",
    "shadow_cost_nanousd": "shadow_cost_usd",
}

# What the ledger keeps for the observer alone.
INSIDE: Final = frozenset({"conversation_hash", "signals"})

# The order of the keys: who and what, how it ended, tokens and money, times, the rest.
NAMES: Final = (
    *("call_id", "request_id", "started_at", "route", "dialect", "model", "upstream", "stream", "outcome", "status"),
    *("error_type", "error_message", "finish_reason", "prompt_tokens", "completion_tokens", "reasoning_tokens"),
    *("cached_tokens", "tokens_source", "cost_usd", "cost_source", "headers_s", "first_byte_s", "first_token_s"),
    *("first_answer_token_s", "duration_s", "piece_gap_p50_s", "piece_gap_p95_s", "piece_gap_max_s"),
    *("request_bytes", "response_bytes", "tool_calls", "client", "user_agent", "worker", "method", "model_answered"),
    *("overhead_s", "load_s", "prompt_eval_s", "generation_s", "queue_s", "attempts", "observer_errors"),
    *("model_digest", "model_quantization", "model_loaded_before", "cold_start"),
    *("cost_origin", "shadow_model", "shadow_cost_usd", "shadow_source"),
    *("litellm_call_id", "litellm_model_group", "litellm_model", "litellm_model_id", "litellm_api_base"),
    *("litellm_retries", "litellm_fallbacks", "litellm_overhead_s"),
    *("client_sdk", "client_sdk_version", "client_language", "client_runtime", "client_app", "client_retry"),
    *("claimed_user", "claimed_safety_identifier", "claimed_team", "claimed_project", "claimed_task"),
    *("claimed_session", "claimed_metadata", "conversation_id", "conversation_turn", "tools_offered"),
    *("tool_calls_invalid", "tool_results", "tool_result_errors", "tool_round_trip_max_s", "tool_events"),
    *("trace_id", "span_id"),
    "key_name",
)


_FIELDS: Final = CallRecord.__struct_fields__
_INSIDE_OUT: Final = {outside: inside for inside, outside in RENAMED.items()}
_in_order: Final = itemgetter(*(_FIELDS.index(_INSIDE_OUT.get(name, name)) for name in NAMES))
_AT, _COST, _SHADOW, _ERRORS, _METADATA, _EVENTS = map(
    NAMES.index, ("started_at", "cost_usd", "shadow_cost_usd", "observer_errors", "claimed_metadata", "tool_events")
)
# A record as it is told. The encoder leaves out what is None, faster than a dictionary without it can be made.
_Told: Final[Any] = msgspec.defstruct("_Told", [(name, Any, None) for name in NAMES], omit_defaults=True, gc=False)


def call_json(record: CallRecord) -> dict[str, Any]:
    """The record's known values by their public names, in the order of NAMES. The record must be clean."""
    told: dict[str, Any] = msgspec.to_builtins(_told(record))
    return told


def call_json_text(record: CallRecord) -> bytes:
    """The same as JSON text."""
    return msgspec.json.encode(_told(record))


def _told(record: CallRecord) -> Any:
    values = list(_in_order(msgspec.structs.astuple(record)))
    values[_AT] = rfc3339(record.started_unix_ns)
    if record.cost_nanousd is not None:
        values[_COST] = to_usd(record.cost_nanousd)
    if record.shadow_cost_nanousd is not None:
        values[_SHADOW] = to_usd(record.shadow_cost_nanousd)
    values[_ERRORS] = list(record.observer_errors) or None
    if record.claimed_metadata is not None:
        values[_METADATA] = _object(record.claimed_metadata)
    # What was called and what came back; offers are many and change seldom: the ledger has them.
    values[_EVENTS] = [event for event in record.tool_events if event.kind != "offered"] or None
    return _Told(*values)


def _object(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:  # cut short, or changed in the ledger
        return None


def rfc3339(unix_ns: int) -> str | None:
    """UTC with microseconds: 2026-11-20T09:15:02.123456Z. None beyond the years that a calendar has."""
    seconds, rest_ns = divmod(unix_ns, 10**9)
    second = _second(seconds)
    return None if second is None else f"{second}.{rest_ns // 1000:06}Z"


@lru_cache(maxsize=64)
def _second(unix_s: int) -> str | None:
    """2026-11-20T09:15:02; many calls share one."""
    try:
        return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return None
