"""Who called, conversations, and what happened to each tool."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns at the end of `calls`, and a table."""
    for name, kind in (
        ("client_sdk", sa.Text()),
        ("client_sdk_version", sa.Text()),
        ("client_language", sa.Text()),
        ("client_runtime", sa.Text()),
        ("client_app", sa.Text()),
        ("client_retry", sa.BigInteger()),
        ("claimed_user", sa.Text()),
        ("claimed_safety_identifier", sa.Text()),
        ("claimed_team", sa.Text()),
        ("claimed_project", sa.Text()),
        ("claimed_task", sa.Text()),
        ("claimed_session", sa.Text()),
        ("claimed_metadata", sa.Text()),
        ("conversation_id", sa.Text()),
        ("conversation_turn", sa.BigInteger()),
        ("conversation_hash", sa.Text()),
        ("tools_offered", sa.BigInteger()),
        ("tool_calls_invalid", sa.BigInteger()),
        ("tool_results", sa.BigInteger()),
        ("tool_result_errors", sa.BigInteger()),
        ("tool_round_trip_max_s", sa.Double()),
    ):
        op.add_column("calls", sa.Column(name, kind))
    op.create_table(
        "tool_events",
        sa.Column("call_id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True),
        sa.Column("tool", sa.Text()),
        sa.Column("tool_call_id", sa.Text()),
        sa.Column("valid", sa.Boolean()),
        sa.Column("round_trip_s", sa.Double()),
        sa.Column("error", sa.Boolean()),
        sa.Column("called_in", sa.Text()),
        sa.Column("called_position", sa.BigInteger()),
    )
