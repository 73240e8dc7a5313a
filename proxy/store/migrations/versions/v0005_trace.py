"""The trace that a call belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns at the end of `calls`."""
    op.add_column("calls", sa.Column("trace_id", sa.Text()))
    op.add_column("calls", sa.Column("span_id", sa.Text()))
