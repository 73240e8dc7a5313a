"""A record as people's tools read it: the one JSON form for `calls --json`, the log and the console.

Documented field by field in docs/calls.md. What is unknown is absent, never null or 0.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from proxy.core.call import CallRecord
from proxy.core.money import to_usd

# Fields that go by another name outside, because the unit does: a time for people, dollars.
RENAMED: Final = {"started_unix_ns": "started_at", "cost_nanousd": "cost_usd"}

# The order of the keys: who and what, how it ended, tokens and money, times, the rest.
NAMES: Final = (
    *("call_id", "request_id", "started_at", "route", "dialect", "model", "upstream", "stream", "outcome", "status"),
    *("error_type", "error_message", "finish_reason", "prompt_tokens", "completion_tokens", "reasoning_tokens"),
    *("cached_tokens", "tokens_source", "cost_usd", "cost_source", "headers_s", "first_byte_s", "first_token_s"),
    *("first_answer_token_s", "duration_s", "piece_gap_p50_s", "piece_gap_p95_s", "piece_gap_max_s"),
    *("request_bytes", "response_bytes", "tool_calls", "client", "user_agent", "worker", "method", "model_answered"),
    *("overhead_s", "load_s", "prompt_eval_s", "generation_s", "queue_s", "attempts", "observer_errors"),
)


def call_json(record: CallRecord) -> dict[str, Any]:
    """The record's known values by their public names, in the order of NAMES. The record must be clean."""
    values = msgspec.structs.asdict(record)
    values["started_at"] = rfc3339(record.started_unix_ns)
    values["cost_usd"] = None if record.cost_nanousd is None else to_usd(record.cost_nanousd)
    values["observer_errors"] = list(record.observer_errors) or None
    return {name: value for name in NAMES if (value := values[name]) is not None}


def rfc3339(unix_ns: int) -> str | None:
    """UTC with microseconds: 2026-11-20T09:15:02.123456Z. None beyond the years that a calendar has."""
    seconds, rest_ns = divmod(unix_ns, 10**9)
    try:
        moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
