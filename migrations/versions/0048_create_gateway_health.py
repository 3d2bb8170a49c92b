"""Create the table gateway_health."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime, identifier

revision = "0048_create_gateway_health"
down_revision = "0047_create_heartbeats"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "gateway_health",
        sa.Column("gateway", identifier(16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failure", sa.String(length=64), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("probe_at", UtcDateTime(), nullable=True),
        sa.Column("next_turn_at", UtcDateTime(), nullable=True),
        sa.Column("keys_wanted_at", UtcDateTime(), nullable=True),
        sa.Column("keys_tried_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_gateway_health")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("gateway_health")
