"""Where a cost comes from, the shadow price, and what LiteLLM tells of a call."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns at the end of `calls`."""
    for name, kind in (
        ("cost_origin", sa.Text()),
        ("shadow_model", sa.Text()),
        ("shadow_cost_nanousd", sa.BigInteger()),
        ("shadow_source", sa.Text()),
        ("litellm_call_id", sa.Text()),
        ("litellm_model_group", sa.Text()),
        ("litellm_model", sa.Text()),
        ("litellm_model_id", sa.Text()),
        ("litellm_api_base", sa.Text()),
        ("litellm_retries", sa.BigInteger()),
        ("litellm_fallbacks", sa.BigInteger()),
        ("litellm_overhead_s", sa.Double()),
    ):
        op.add_column("calls", sa.Column(name, kind))
