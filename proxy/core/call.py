"""What a call means: one row of the ledger, one line of the log. None is unknown, never 0."""

from __future__ import annotations

import msgspec

from proxy.core.outcomes import CostSource, Outcome, TokensSource


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call as everybody behind the observer sees it. Documented field by field in docs/calls.md."""

    call_id: str
    request_id: str
    started_unix_ns: int
    route: str  # path template, or `other`
    dialect: str  # which reader gave the meaning, or `other`
    method: str
    outcome: Outcome
    worker: int = 0
    model: str | None = None  # as the client asked
    model_answered: str | None = None
    upstream: str | None = None
    stream: bool | None = None
    status: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    tokens_source: TokensSource = "missing"
    cost_nanousd: int | None = None
    cost_source: CostSource = "unknown"
    headers_s: float | None = None
    first_byte_s: float | None = None
    first_token_s: float | None = None
    first_answer_token_s: float | None = None
    duration_s: float | None = None  # None = interrupted: the end is unknown
    piece_gap_p50_s: float | None = None
    piece_gap_p95_s: float | None = None
    piece_gap_max_s: float | None = None
    overhead_s: float | None = None
    load_s: float | None = None
    prompt_eval_s: float | None = None
    generation_s: float | None = None
    queue_s: float | None = None
    request_bytes: int | None = None
    response_bytes: int | None = None
    tool_calls: int | None = None
    attempts: int | None = None
    client: str | None = None
    user_agent: str | None = None
    observer_errors: tuple[str, ...] = ()  # parts of the observer that failed on this call
