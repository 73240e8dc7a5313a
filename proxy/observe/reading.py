"""Reading: one exchange -> its record and its meaning. Everything of a record but its cost.

Pure; never raises on foreign bytes. The observer's pipeline calls it first; pricing, sinks and scores come behind.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.exchange import Exchange, Finished, Started
from proxy.core.usage import TokenCounts
from proxy.wire.answers import READERS, read_meaning
from proxy.wire.body import look_at
from proxy.wire.foreign import as_name, one_line
from proxy.wire.litellm import LiteLLM
from proxy.wire.meaning import Durations, Meaning
from proxy.wire.pacing import pace_of
from proxy.wire.routes import match
from proxy.wire.striking import strike
from proxy.wire.trace_context import SAMPLED
from proxy.wire.verdict import judge

_USER_AGENT_CHARACTERS = 512  # longest seen: 400
_NS = 1e-9


def read_call(
    exchange: Exchange, request: dict[str, Any] | UnsetType | None = UNSET, *, hidden: bytes | None = None
) -> tuple[CallRecord, Meaning]:
    """The call's record, without its cost, and its meaning. request: what `request_object` gave, if it was asked.

    hidden: the upstream's key, should its answer repeat it.
    """
    finished = exchange.finished
    route = match(finished.target)
    looked = look_at(exchange, hidden=hidden)
    meaning = _honest(read_meaning(exchange, route, looked, request), exchange)
    pace = pace_of(meaning, looked, exchange.pieces)
    verdict = judge(finished, meaning)
    durations = meaning.durations or Durations()
    tokens = meaning.tokens
    record = CallRecord(
        call_id=finished.call_id,
        request_id=finished.request_id,
        started_unix_ns=finished.started_unix_ns,
        worker=finished.worker,
        route=route.template,
        dialect=meaning.dialect,
        method=finished.method,
        outcome=verdict.outcome,
        model=meaning.model_asked,
        model_answered=meaning.model,
        upstream=finished.upstream,
        stream=meaning.stream_due,
        status=finished.status,
        error_type=verdict.error_type,
        error_message=verdict.error_message,
        finish_reason=meaning.finish_reason,
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        reasoning_tokens=tokens.reasoning,
        cached_tokens=tokens.cached,
        tokens_source=meaning.tokens_source,
        headers_s=finished.headers_s,
        first_byte_s=pace.first_byte_s,
        first_token_s=pace.first_token_s,
        first_answer_token_s=pace.first_answer_token_s,
        duration_s=finished.duration_s,
        piece_gap_p50_s=pace.gap_p50_s,
        piece_gap_p95_s=pace.gap_p95_s,
        piece_gap_max_s=pace.gap_max_s,
        overhead_s=finished.overhead_s,
        load_s=_seconds(durations.load_ns),
        prompt_eval_s=_seconds(durations.prompt_eval_ns),
        generation_s=_seconds(durations.eval_ns),
        queue_s=_queue_s(durations),
        request_bytes=finished.request_bytes,
        response_bytes=finished.response_bytes,
        tool_calls=_tool_calls(meaning, finished),
        attempts=finished.attempts,
        client=finished.client,
        user_agent=_user_agent(finished.user_agent),
        trace_id=finished.trace_id,
        span_id=_sent_span(finished),
        key_name=finished.key_name,
    )
    return (record if meaning.litellm is None else _with_litellm(record, meaning.litellm)), meaning


def interrupted_call(started: Started) -> CallRecord:
    """The record of a call that was under way when its relay died: what was known when it began."""
    route = match(started.target)
    return CallRecord(
        call_id=started.call_id,
        request_id=started.request_id,
        started_unix_ns=started.started_unix_ns,
        worker=started.worker,
        route=route.template,
        dialect=route.dialect if started.method == "POST" else "other",
        method=started.method,
        outcome="interrupted",
        model=as_name(started.model),
        upstream=started.upstream,
        stream=started.stream,
        client=started.client,
        user_agent=_user_agent(started.user_agent),
        trace_id=started.trace_id,
        span_id=_sent_span(started),
        key_name=started.key_name,
    )


def _with_litellm(record: CallRecord, told: LiteLLM) -> CallRecord:
    return replace(
        record,
        litellm_call_id=told.call_id,
        litellm_model_group=told.model_group,
        litellm_model=told.model,
        litellm_model_id=told.model_id,
        litellm_api_base=told.api_base,
        litellm_retries=told.retries,
        litellm_fallbacks=told.fallbacks,
        litellm_overhead_s=told.overhead_s,
    )


def _honest(meaning: Meaning, exchange: Exchange) -> Meaning:
    """The meaning with what is known of the server that said it: invented zeros out, counted tokens in."""
    if meaning.dialect == "other" or not _is_ollama(meaning, exchange):
        return meaning
    if meaning.dialect == "openai_responses":
        # Ollama writes these two as 0 whatever happened.
        known = replace(
            meaning.tokens, cached=meaning.tokens.cached or None, reasoning=meaning.tokens.reasoning or None
        )
        meaning = replace(meaning, tokens=known)
    if meaning.tokens_source != "missing" or not meaning.token_offsets:
        return meaning
    if meaning.tool_calls or meaning.unread is not None:
        return meaning  # a call is many tokens in one event; behind a gap nobody counted
    counted = TokenCounts(completion=len(meaning.token_offsets))
    return replace(meaning, tokens=counted, tokens_source="counted")


def _is_ollama(meaning: Meaning, exchange: Exchange) -> bool:
    """Whether the answer is Ollama's own, one token an event. LiteLLM may gather tokens, and hides who said them."""
    kind = exchange.finished.upstream_kind
    if kind in ("ollama", "litellm", "openai"):
        return kind == "ollama"
    return meaning.dialect.startswith("ollama_") or meaning.system_fingerprint == "fp_ollama"


def _tool_calls(meaning: Meaning, finished: Finished) -> int | None:
    """How many tools the answer calls; None = no answer of a dialect that could, or one that could not be read."""
    reader = READERS.get(meaning.dialect)
    if reader is None or not reader.generates or meaning.unread is not None:
        return None
    answered = finished.upstream_status is not None and finished.upstream_status < 300
    return len(meaning.tool_calls) if answered else None


def _queue_s(durations: Durations) -> float | None:
    """What is left of Ollama's total: waiting for a slot, and its own work around the model. None = not told."""
    if durations.total_ns is None or durations.eval_ns is None:
        return None
    parts_ns = (durations.load_ns or 0) + (durations.prompt_eval_ns or 0) + durations.eval_ns
    return max(0, durations.total_ns - parts_ns) * _NS


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns * _NS


@lru_cache(maxsize=1024)
def _user_agent(said: str | None) -> str | None:
    return None if said is None else strike(one_line(said, _USER_AGENT_CHARACTERS)) or None


def _sent_span(started: Started) -> str | None:
    return started.span_id if started.trace_flags & SAMPLED else None
