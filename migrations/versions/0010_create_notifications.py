"""Create the table notifications."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0010_create_notifications"
down_revision = "0009_create_payments"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "notifications",
        sa.Column("id", RowId, nullable=False),
        sa.Column("gateway", identifier(16), nullable=False),
        sa.Column("event_id", identifier(64), nullable=False),
        sa.Column("event_type", sa.String(length=32), nullable=False),
        sa.Column("out_trade_no", identifier(64), nullable=True),
        sa.Column("body", LongText, nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('settled', 'duplicate', 'case', 'ignored')", name=op.f("ck_notifications_verdict")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("gateway", "event_id", name=op.f("uq_notifications_gateway_event_id")),
    )
    op.create_index(op.f("ix_notifications_out_trade_no"), "notifications", ["out_trade_no"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("notifications")
