"""Changes of upstreams as events, what their models are, and which of these answered a call."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns at the end of `calls`, and three tables."""
    for name, kind in (
        ("model_digest", sa.Text()),
        ("model_quantization", sa.Text()),
        ("model_loaded_before", sa.Boolean()),
        ("cold_start", sa.Boolean()),
    ):
        op.add_column("calls", sa.Column(name, kind))
    op.create_table(
        "events",
        sa.Column(
            "event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("at_unix_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
        sa.Column("details", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "models",
        sa.Column("upstream", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), primary_key=True),
        sa.Column("since_unix_ns", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text()),
        sa.Column("quantization", sa.Text()),
        sa.Column("context_length", sa.BigInteger()),
        sa.Column("template_hash", sa.Text()),
        sa.Column("loaded_context", sa.BigInteger()),
        sa.Column("loaded_context_unix_ns", sa.BigInteger()),
        sa.Column("gone_unix_ns", sa.BigInteger()),
    )
    op.create_table(
        "upstreams",
        sa.Column("upstream", sa.Text(), primary_key=True),
        sa.Column("version", sa.Text()),
        sa.Column("since_unix_ns", sa.BigInteger(), nullable=False),
    )
