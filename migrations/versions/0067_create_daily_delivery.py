"""Create the table daily_delivery."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import identifier

revision = "0067_create_daily_delivery"
down_revision = "0066_create_daily_orders"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "daily_delivery",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("product_id", identifier(64), nullable=False),
        sa.Column("within_seconds", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "product_id", "within_seconds", name=op.f("pk_daily_delivery")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("daily_delivery")
