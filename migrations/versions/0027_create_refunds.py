"""Create the table refunds."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0027_create_refunds"
down_revision = "0026_create_solo_allowances"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "refunds",
        sa.Column("id", RowId, nullable=False),
        sa.Column("payment_id", RowId, nullable=False),
        sa.Column("order_id", RowId, nullable=False),
        sa.Column("gateway", identifier(16), nullable=False),
        sa.Column("mchid", identifier(32), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("out_refund_no", identifier(64), nullable=False),
        sa.Column("refund_id", identifier(32), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("held_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("license_effect", sa.String(length=8), nullable=False),
        sa.Column("request", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("request_key", identifier(64), nullable=True),
        sa.Column("requested_by", identifier(64), nullable=False),
        sa.Column("endorsed_by", identifier(64), nullable=True),
        sa.Column("approved_by", identifier(64), nullable=True),
        sa.Column("approval_digest", identifier(64), nullable=True),
        sa.Column("decision_note", sa.String(length=200), nullable=True),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("failure_code", identifier(64), nullable=True),
        sa.Column("verified_by", sa.String(length=8), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=True),
        sa.Column("called_at", UtcDateTime(), nullable=True),
        sa.Column("succeeded_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'processing', 'succeeded', 'abnormal', 'closed', 'refused', 'withdrawn')",
            name=op.f("ck_refunds_status"),
        ),
        sa.CheckConstraint("origin IN ('learner', 'staff', 'console')", name=op.f("ck_refunds_origin")),
        sa.CheckConstraint("license_effect IN ('revoke', 'keep')", name=op.f("ck_refunds_license_effect")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_refunds_amount_positive")),
        sa.CheckConstraint("held_fen >= 0 AND held_fen <= amount_fen", name=op.f("ck_refunds_held")),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> requested_by", name=op.f("ck_refunds_two_persons")
        ),
        sa.CheckConstraint(
            "(status = 'succeeded') = (succeeded_at IS NOT NULL)",
            name=op.f("ck_refunds_succeeded_at_a_moment"),
        ),
        sa.CheckConstraint(
            "status <> 'succeeded' OR (refund_id IS NOT NULL AND held_fen = amount_fen)",
            name=op.f("ck_refunds_succeeded_is_counted"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_refunds_order_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("gateway", "mchid", "refund_id", name=op.f("uq_refunds_gateway_mchid_refund_id")),
        sa.UniqueConstraint("gateway", "out_refund_no", name=op.f("uq_refunds_gateway_out_refund_no")),
        sa.UniqueConstraint("request_key", name=op.f("uq_refunds_request_key")),
    )
    op.create_index(op.f("ix_refunds_order_id"), "refunds", ["order_id"], unique=False)
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"], unique=False)
    op.create_index("ix_refunds_status_id", "refunds", ["status", "id"], unique=False)
    op.create_index(
        "ix_refunds_requested_by_created_at", "refunds", ["requested_by", "created_at"], unique=False
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("refunds")
