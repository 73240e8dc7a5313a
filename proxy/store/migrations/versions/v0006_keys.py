"""Clients' keys, and whose key a call showed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column at the end of `calls`, and a table."""
    op.add_column("calls", sa.Column("key_name", sa.Text()))
    op.create_table(
        "keys",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False, unique=True),
        sa.Column("created_unix_ns", sa.BigInteger(), nullable=False),
        sa.Column("revoked_unix_ns", sa.BigInteger()),
    )
