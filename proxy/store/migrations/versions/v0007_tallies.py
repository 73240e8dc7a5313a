"""How many calls of each relay are accounted for."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COUNTS = ("seen", "started", "finished", "unreadable", "lost", "interrupted", "repeated", "refused", "killed")


def upgrade() -> None:
    """Add a table. Records so far count as finished; relays that are half read began before their tally."""
    op.create_table(
        "journal_tallies",
        sa.Column("writer", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
    )
    op.execute("INSERT INTO journal_tallies SELECT '', count(*), count(*), count(*), 0, 0, 0, 0, 0, 0 FROM calls")
    op.execute("INSERT INTO journal_tallies SELECT writer, -1, 0, 0, 0, 0, 0, 0, 0, 0 FROM journal_positions")
