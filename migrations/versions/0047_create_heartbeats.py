"""Create the table heartbeats."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime, identifier

revision = "0047_create_heartbeats"
down_revision = "0046_index_payments_paid_at"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "heartbeats",
        sa.Column("name", identifier(32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("heartbeats")
