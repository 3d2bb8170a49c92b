"""Create the table disputes."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0061_create_disputes"
down_revision = "0060_create_role_requests"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "disputes",
        sa.Column("id", RowId, nullable=False),
        sa.Column("gateway", identifier(16), nullable=False),
        sa.Column("mchid", identifier(32), nullable=False),
        sa.Column("complaint_id", identifier(64), nullable=False),
        sa.Column("order_id", RowId, nullable=True),
        sa.Column("payment_id", RowId, nullable=True),
        sa.Column("out_trade_no", identifier(64), nullable=True),
        sa.Column("transaction_id", identifier(64), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("wanted_fen", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("problem_type", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.String(length=200), nullable=False),
        sa.Column("text", LongText, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("is_waiting", sa.Boolean(), nullable=False),
        sa.Column("is_refunded", sa.Boolean(), nullable=False),
        sa.Column("sealed_phone", identifier(1024), nullable=True),
        sa.Column("complained_at", UtcDateTime(), nullable=False),
        sa.Column("first_due_at", UtcDateTime(), nullable=False),
        sa.Column("done_due_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "problem_type IN ('refund', 'service_not_work', 'others')", name=op.f("ck_disputes_problem_type")
        ),
        sa.CheckConstraint("state IN ('pending', 'processing', 'processed')", name=op.f("ck_disputes_state")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_disputes_order_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint(
            "gateway", "mchid", "complaint_id", name=op.f("uq_disputes_gateway_mchid_complaint_id")
        ),
    )
    op.create_index(op.f("ix_disputes_complained_at_id"), "disputes", ["complained_at", "id"])
    op.create_index(op.f("ix_disputes_order_id"), "disputes", ["order_id"])
    op.create_index(op.f("ix_disputes_payment_id"), "disputes", ["payment_id"])
    op.create_index(op.f("ix_disputes_state_complained_at_id"), "disputes", ["state", "complained_at", "id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("disputes")
