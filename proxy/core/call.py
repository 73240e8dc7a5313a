"""What a call means: one row of the ledger, one line of the log. None is unknown, never 0."""

from __future__ import annotations

import msgspec

from proxy.core.outcomes import CostSource, Outcome, TokensSource
from proxy.core.signal_row import SignalRow
from proxy.core.tool_event import ToolEvent


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
    # New fields come last, as a new column of the ledger does.
    model_digest: str | None = None  # of the model that answered, as the upstream listed it at the time
    model_quantization: str | None = None
    model_loaded_before: bool | None = None  # the model was in memory when the call was accepted
    cold_start: bool | None = None  # what the call waited for its first token includes loading the model
    cost_origin: str | None = None  # litellm, price_file:<key>, settings:<pattern>
    shadow_model: str | None = None  # as the settings name it
    shadow_cost_nanousd: int | None = None  # what the same tokens would have cost there
    shadow_source: CostSource | None = None  # None = no shadow price was asked for
    litellm_call_id: str | None = None  # as LiteLLM's own logs have it
    litellm_model_group: str | None = None
    litellm_model: str | None = None  # of the deployment, with its provider: ollama_chat/llama3.2
    litellm_model_id: str | None = None  # of the deployment
    litellm_api_base: str | None = None  # of the deployment, without user, password and query
    litellm_retries: int | None = None
    litellm_fallbacks: int | None = None
    litellm_overhead_s: float | None = None  # LiteLLM's own part
    client_sdk: str | None = None  # library that spoke, as the request's head says
    client_sdk_version: str | None = None
    client_language: str | None = None
    client_runtime: str | None = None
    client_app: str | None = None
    client_retry: int | None = None  # which repetition, as the SDK counts; 0 = the first try
    claimed_user: str | None = None  # claims of the caller: see docs/callers.md for where they come from
    claimed_safety_identifier: str | None = None
    claimed_team: str | None = None
    claimed_project: str | None = None
    claimed_task: str | None = None
    claimed_session: str | None = None
    claimed_metadata: str | None = None  # JSON object of short plain pairs
    conversation_id: str | None = None  # call_id of its first call that we saw
    conversation_turn: int | None = None
    conversation_hash: str | None = None  # keyed fingerprints, for the observer alone
    tools_offered: int | None = None
    tool_calls_invalid: int | None = None
    tool_results: int | None = None  # that the request brings for the first time
    tool_result_errors: int | None = None
    tool_round_trip_max_s: float | None = None
    tool_events: tuple[ToolEvent, ...] = ()  # a table of its own in the ledger
    trace_id: str | None = None  # W3C: the client's, or one that we began; None = neither was there
    span_id: str | None = None  # of our SERVER span; None = tracing is off, or this trace is not sent
    key_name: str | None = None  # whose key of ours the client showed; not a claim
    signals: SignalRow | None = None  # a table of its own in the ledger; not read back with the call
