"""Tables of the ledger. A change here needs a migration in migrations/versions and a new HEAD.

Columns of `calls` are the fields of `core.call.CallRecord`, same names and order; `tool_events` have their own. New
ones come last, so that a migration need not copy the table. Rows are narrow and indexes few: each costs an insert about
2 µs.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text

HEAD: Final = "0009"  # revision of the newest migration; a test compares it with alembic's

metadata = MetaData()

# BIGINT elsewhere; SQLite numbers rows by itself only in a column that says INTEGER.
_Sequence = BigInteger().with_variant(Integer, "sqlite")

calls = Table(
    "calls",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),  # order of commit; never used twice
    Column("call_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("started_unix_ns", BigInteger, nullable=False),
    Column("route", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("worker", BigInteger, nullable=False),
    Column("model", Text),
    Column("model_answered", Text),
    Column("upstream", Text),
    Column("stream", Boolean),
    Column("status", BigInteger),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("finish_reason", Text),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("tokens_source", Text, nullable=False),
    Column("cost_nanousd", BigInteger),
    Column("cost_source", Text, nullable=False),
    Column("headers_s", Double),
    Column("first_byte_s", Double),
    Column("first_token_s", Double),
    Column("first_answer_token_s", Double),
    Column("duration_s", Double),
    Column("piece_gap_p50_s", Double),
    Column("piece_gap_p95_s", Double),
    Column("piece_gap_max_s", Double),
    Column("overhead_s", Double),
    Column("load_s", Double),
    Column("prompt_eval_s", Double),
    Column("generation_s", Double),
    Column("queue_s", Double),
    Column("request_bytes", BigInteger),
    Column("response_bytes", BigInteger),
    Column("tool_calls", BigInteger),
    Column("attempts", BigInteger),
    Column("client", Text),
    Column("user_agent", Text),
    Column("observer_errors", Text),  # JSON array of words; NULL = none
    Column("model_digest", Text),
    Column("model_quantization", Text),
    Column("model_loaded_before", Boolean),
    Column("cold_start", Boolean),
    Column("cost_origin", Text),
    Column("shadow_model", Text),
    Column("shadow_cost_nanousd", BigInteger),
    Column("shadow_source", Text),
    Column("litellm_call_id", Text),
    Column("litellm_model_group", Text),
    Column("litellm_model", Text),
    Column("litellm_model_id", Text),
    Column("litellm_api_base", Text),
    Column("litellm_retries", BigInteger),
    Column("litellm_fallbacks", BigInteger),
    Column("litellm_overhead_s", Double),
    Column("client_sdk", Text),
    Column("client_sdk_version", Text),
    Column("client_language", Text),
    Column("client_runtime", Text),
    Column("client_app", Text),
    Column("client_retry", BigInteger),
    Column("claimed_user", Text),
    Column("claimed_safety_identifier", Text),
    Column("claimed_team", Text),
    Column("claimed_project", Text),
    Column("claimed_task", Text),
    Column("claimed_session", Text),
    Column("claimed_metadata", Text),  # JSON object
    Column("conversation_id", Text),
    Column("conversation_turn", BigInteger),
    Column("conversation_hash", Text),  # observe.fingerprints.Kept
    Column("tools_offered", BigInteger),
    Column("tool_calls_invalid", BigInteger),
    Column("tool_results", BigInteger),
    Column("tool_result_errors", BigInteger),
    Column("tool_round_trip_max_s", Double),
    Column("trace_id", Text),
    Column("span_id", Text),
    Column("key_name", Text),
    Index("calls_call_id", "call_id", unique=True),
    Index("calls_started_unix_ns", "started_unix_ns"),
    sqlite_autoincrement=True,  # a row number is not given again after the newest rows were deleted
)

journal_positions = Table(
    "journal_positions",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("segment", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
)

# Fields of core.tally.Tally: how many calls of each writer are accounted for. '' = the sum of those that are gone.
journal_tallies = Table(
    "journal_tallies",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("seen", BigInteger, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("finished", BigInteger, nullable=False),
    Column("unreadable", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("interrupted", BigInteger, nullable=False),
    Column("repeated", BigInteger, nullable=False),  # of all writers, in the row of ''
    Column("refused", BigInteger, nullable=False),  # likewise
    Column("killed", BigInteger, nullable=False),  # likewise: calls of dead relays of which no frame was written
)

open_calls = Table(
    "open_calls",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("writer", Text, nullable=False),
    Column("started", LargeBinary, nullable=False),  # core.exchange.Started as JSON
)

# Fields of core.tool_event.ToolEvent, behind the call's id. Written and deleted with the call.
tool_events = Table(
    "tool_events",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("tool", Text),
    Column("tool_call_id", Text),
    Column("valid", Boolean),
    Column("round_trip_s", Double),
    Column("error", Boolean),
    Column("called_in", Text),
    Column("called_position", BigInteger),
)

# One row an answer: core.signal_row.SignalRow. Written with the call; numbers only.
signals = Table(
    "signals",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("call_id", Text, nullable=False),
    Column("lane", BigInteger, nullable=False),
    Column("numbers", LargeBinary, nullable=False),  # float32
    Column("faults", BigInteger, nullable=False),
    Column("quality", Double),
    Column("in_flight", BigInteger),
    Column("identity", Text),
    Index("signals_call_id", "call_id", unique=True),
    Index("signals_lane", "lane", "seq"),
    sqlite_autoincrement=True,
)

# Hashed counts of a lane's first texts: observe.quality.reference.Reference.dump.
drift_references = Table(
    "drift_references",
    metadata,
    Column("lane", BigInteger, primary_key=True, autoincrement=False),
    Column("answers", LargeBinary, nullable=False),
    Column("prompts", LargeBinary, nullable=False),
)

# How far readers of what was committed have come; written with what they made of it.
readers = Table(
    "readers",
    metadata,
    Column("reader", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of `signals`
)

events = Table(
    "events",
    metadata,
    Column("event_id", _Sequence, primary_key=True, autoincrement=True),
    Column("at_unix_ns", BigInteger, nullable=False),  # when it was noticed
    Column("kind", Text, nullable=False),  # core.event.EventKind
    Column("upstream", Text),
    Column("model", Text),
    Column("before", Text),
    Column("after", Text),
    Column("details", Text),  # JSON object; NULL = none
    sqlite_autoincrement=True,
)

# What the upstreams' models were at the last look. Written with the events, so that each change is told once.
models = Table(
    "models",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("since_unix_ns", BigInteger, nullable=False),  # it has had this digest at least since then
    Column("digest", Text),
    Column("quantization", Text),
    Column("context_length", BigInteger),  # the longest that it can
    Column("template_hash", Text),
    Column("loaded_context", BigInteger),  # what it was loaded with last
    Column("loaded_context_unix_ns", BigInteger),  # when that was noticed
    Column("gone_unix_ns", BigInteger),  # when it was first not listed any more; NULL = it is
)

upstreams = Table(
    "upstreams",
    metadata,
    Column("upstream", Text, primary_key=True),
    Column("version", Text),
    Column("since_unix_ns", BigInteger, nullable=False),  # it has had this version at least since then
)

# Clients' keys, as core.client_key.ClientKey. Relays go by the control snapshot, which has them too.
keys = Table(
    "keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("hint", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("created_unix_ns", BigInteger, nullable=False),
    Column("revoked_unix_ns", BigInteger),  # NULL = it opens
)
