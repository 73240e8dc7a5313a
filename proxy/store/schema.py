"""Tables of the ledger. A change here needs a migration in migrations/versions and a new HEAD.

Columns of `calls` are the fields of `core.call.CallRecord`, same names; a test holds the two together. Rows are narrow
and indexes few: each index costs an insert about 2 µs.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text

HEAD: Final = "0001"  # revision of the newest migration; a test compares it with alembic's

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

open_calls = Table(
    "open_calls",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("writer", Text, nullable=False),
    Column("started", LargeBinary, nullable=False),  # core.exchange.Started as JSON
)
