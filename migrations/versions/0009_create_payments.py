"""Create the table payments."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0009_create_payments"
down_revision = "0008_create_orders"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "payments",
        sa.Column("id", RowId, nullable=False),
        sa.Column("order_id", RowId, nullable=False),
        sa.Column("gateway", identifier(16), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("mchid", identifier(32), nullable=False),
        sa.Column("appid", identifier(32), nullable=False),
        sa.Column("out_trade_no", identifier(32), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("open_key", sa.BigInteger(), nullable=True),
        sa.Column("code_url", identifier(512), nullable=True),
        sa.Column("code_url_at", UtcDateTime(), nullable=True),
        sa.Column("qr_svg", LongText, nullable=True),
        sa.Column("failure_code", identifier(64), nullable=True),
        sa.Column("transaction_id", identifier(64), nullable=True),
        sa.Column("payer_hash", identifier(64), nullable=True),
        sa.Column("verified_by", sa.String(length=8), nullable=True),
        sa.Column("call_until", UtcDateTime(), nullable=True),
        sa.Column("queried_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(status = 'paid') = (transaction_id IS NOT NULL AND verified_by IS NOT NULL)",
            name=op.f("ck_payments_paid_is_verified"),
        ),
        sa.CheckConstraint(
            "status IN ('created', 'open', 'paid', 'closed', 'rejected')", name=op.f("ck_payments_status")
        ),
        sa.CheckConstraint(
            "verified_by IS NULL OR verified_by IN ('notify', 'query', 'bill')",
            name=op.f("ck_payments_verified_by"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payments_amount_positive")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_payments_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint(
            "gateway", "mchid", "transaction_id", name=op.f("uq_payments_gateway_mchid_transaction_id")
        ),
        sa.UniqueConstraint("open_key", name=op.f("uq_payments_open_key")),
        sa.UniqueConstraint("out_trade_no", name=op.f("uq_payments_out_trade_no")),
    )
    op.create_index("ix_payments_order_id_id", "payments", ["order_id", "id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("payments")
