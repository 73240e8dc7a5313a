"""Signals of answers, and what lanes of the drift detector learned from their first ones."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "signals",
        sa.Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.BigInteger(), nullable=False),
        sa.Column("numbers", sa.LargeBinary(), nullable=False),
        sa.Column("faults", sa.BigInteger(), nullable=False),
        sa.Column("quality", sa.Double()),
        sa.Column("in_flight", sa.BigInteger()),
        sa.Column("identity", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("signals_call_id", "signals", ["call_id"], unique=True)
    op.create_index("signals_lane", "signals", ["lane", "seq"])
    op.create_table(
        "drift_references",
        sa.Column("lane", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("answers", sa.LargeBinary(), nullable=False),
        sa.Column("prompts", sa.LargeBinary(), nullable=False),
    )
