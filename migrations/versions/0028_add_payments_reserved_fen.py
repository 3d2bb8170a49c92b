"""Add payments.reserved_fen."""

import sqlalchemy as sa
from alembic import op

revision = "0028_add_payments_reserved_fen"
down_revision = "0027_create_refunds"


def upgrade() -> None:
    """Add it: nothing was ever given back."""
    op.add_column(
        "payments", sa.Column("reserved_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_column("payments", "reserved_fen")
