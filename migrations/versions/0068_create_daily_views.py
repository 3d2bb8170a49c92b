"""Create the table daily_views."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import identifier

revision = "0068_create_daily_views"
down_revision = "0067_create_daily_delivery"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "daily_views",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("product_id", identifier(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "product_id", name=op.f("pk_daily_views")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("daily_views")
