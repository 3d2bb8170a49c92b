"""Create the table daily_orders."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import identifier

revision = "0066_create_daily_orders"
down_revision = "0065_create_daily_sales"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "daily_orders",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("product_id", identifier(64), nullable=False),
        sa.Column("placed_count", sa.Integer(), nullable=False),
        sa.Column("paid_count", sa.Integer(), nullable=False),
        sa.Column("delivered_count", sa.Integer(), nullable=False),
        sa.Column("open_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "product_id", name=op.f("pk_daily_orders")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("daily_orders")
