"""Create the table cases."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0014_create_cases"
down_revision = "0013_create_licenses"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "cases",
        sa.Column("id", RowId, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("dedup_key", identifier(128), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("order_id", RowId, nullable=True),
        sa.Column("payment_id", RowId, nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('mismatch', 'foreign', 'unknown_order', 'duplicate', 'late_unwanted', 'unreadable', 'gateway_rejected', 'dead_letter')",
            name=op.f("ck_cases_kind"),
        ),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_cases_status")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_cases_order_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_cases_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_cases_dedup_key")),
    )
    op.create_index(op.f("ix_cases_order_id"), "cases", ["order_id"], unique=False)
    op.create_index(op.f("ix_cases_payment_id"), "cases", ["payment_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("cases")
