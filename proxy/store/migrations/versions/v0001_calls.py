"""Calls, the observer's places in the journals, and calls under way."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "calls",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("started_unix_ns", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("worker", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("model_answered", sa.Text()),
        sa.Column("upstream", sa.Text()),
        sa.Column("stream", sa.Boolean()),
        sa.Column("status", sa.BigInteger()),
        sa.Column("error_type", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("finish_reason", sa.Text()),
        sa.Column("prompt_tokens", sa.BigInteger()),
        sa.Column("completion_tokens", sa.BigInteger()),
        sa.Column("reasoning_tokens", sa.BigInteger()),
        sa.Column("cached_tokens", sa.BigInteger()),
        sa.Column("tokens_source", sa.Text(), nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger()),
        sa.Column("cost_source", sa.Text(), nullable=False),
        sa.Column("headers_s", sa.Double()),
        sa.Column("first_byte_s", sa.Double()),
        sa.Column("first_token_s", sa.Double()),
        sa.Column("first_answer_token_s", sa.Double()),
        sa.Column("duration_s", sa.Double()),
        sa.Column("piece_gap_p50_s", sa.Double()),
        sa.Column("piece_gap_p95_s", sa.Double()),
        sa.Column("piece_gap_max_s", sa.Double()),
        sa.Column("overhead_s", sa.Double()),
        sa.Column("load_s", sa.Double()),
        sa.Column("prompt_eval_s", sa.Double()),
        sa.Column("generation_s", sa.Double()),
        sa.Column("queue_s", sa.Double()),
        sa.Column("request_bytes", sa.BigInteger()),
        sa.Column("response_bytes", sa.BigInteger()),
        sa.Column("tool_calls", sa.BigInteger()),
        sa.Column("attempts", sa.BigInteger()),
        sa.Column("client", sa.Text()),
        sa.Column("user_agent", sa.Text()),
        sa.Column("observer_errors", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("calls_call_id", "calls", ["call_id"], unique=True)
    op.create_index("calls_started_unix_ns", "calls", ["started_unix_ns"])
    op.create_table(
        "journal_positions",
        sa.Column("writer", sa.Text(), primary_key=True),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "open_calls",
        sa.Column("call_id", sa.Text(), primary_key=True),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("started", sa.LargeBinary(), nullable=False),
    )
