"""Create the table daily_sales."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import identifier

revision = "0065_create_daily_sales"
down_revision = "0064_create_dispute_acts"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "daily_sales",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("product_id", identifier(64), nullable=False),
        sa.Column("sold_fen", sa.BigInteger(), nullable=False),
        sa.Column("sold_count", sa.Integer(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("refund_count", sa.Integer(), nullable=False),
        sa.Column("unapplied_fen", sa.BigInteger(), nullable=False),
        sa.Column("returned_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "product_id", name=op.f("pk_daily_sales")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("daily_sales")
