"""Create the table entitlements."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0012_create_entitlements"
down_revision = "0011_create_ledger_entries"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "entitlements",
        sa.Column("id", RowId, nullable=False),
        sa.Column("learner_id", RowId, nullable=False),
        sa.Column("course_id", identifier(64), nullable=False),
        sa.Column("order_id", RowId, nullable=True),
        sa.Column("payment_id", RowId, nullable=True),
        sa.Column("grant_reason", sa.String(length=200), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("active_key", identifier(96), nullable=True),
        sa.Column("max_downloads", sa.Integer(), nullable=False),
        sa.Column("granted_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(status = 'active') = (active_key IS NOT NULL)", name=op.f("ck_entitlements_active_key")
        ),
        sa.CheckConstraint("status IN ('active', 'expired', 'revoked')", name=op.f("ck_entitlements_status")),
        sa.CheckConstraint(
            "(payment_id IS NULL) <> (grant_reason IS NULL)", name=op.f("ck_entitlements_one_ground")
        ),
        sa.ForeignKeyConstraint(["course_id"], ["products.id"], name=op.f("fk_entitlements_course_id")),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_entitlements_learner_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_entitlements_order_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_entitlements_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entitlements")),
        sa.UniqueConstraint("active_key", name=op.f("uq_entitlements_active_key")),
        sa.UniqueConstraint("order_id", name=op.f("uq_entitlements_order_id")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_entitlements_payment_id")),
    )
    op.create_index(op.f("ix_entitlements_course_id"), "entitlements", ["course_id"], unique=False)
    op.create_index(op.f("ix_entitlements_learner_id"), "entitlements", ["learner_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("entitlements")
