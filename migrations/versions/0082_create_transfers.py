"""Create the table transfers."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0082_create_transfers"
down_revision = "0081_create_transfer_offers"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "transfers",
        sa.Column("id", RowId, nullable=False),
        sa.Column("payment_id", RowId, nullable=False),
        sa.Column("order_id", RowId, nullable=False),
        sa.Column("course_id", identifier(64), nullable=False),
        sa.Column("reference", identifier(16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.Column("told_number", sa.String(length=64), nullable=True),
        sa.Column("told_picture_id", RowId, nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("number", identifier(64), nullable=True),
        sa.Column("picture_id", RowId, nullable=True),
        sa.Column("checked_by", RowId, nullable=True),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("approved_by", RowId, nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("refusal", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "status IN ('waiting', 'told', 'checked', 'confirmed', 'mismatch', 'refused')",
            name=op.f("ck_transfers_status"),
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> checked_by", name=op.f("ck_transfers_two_persons")
        ),
        sa.CheckConstraint(
            "status NOT IN ('checked', 'confirmed', 'mismatch') OR "
            "(amount_fen > 0 AND number IS NOT NULL AND checked_by IS NOT NULL)",
            name=op.f("ck_transfers_evidence"),
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_transfers_payment_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_transfers_order_id")),
        sa.ForeignKeyConstraint(["course_id"], ["products.id"], name=op.f("fk_transfers_course_id")),
        sa.ForeignKeyConstraint(
            ["told_picture_id"], ["pictures.id"], name=op.f("fk_transfers_told_picture_id")
        ),
        sa.ForeignKeyConstraint(["picture_id"], ["pictures.id"], name=op.f("fk_transfers_picture_id")),
        sa.ForeignKeyConstraint(["checked_by"], ["learners.id"], name=op.f("fk_transfers_checked_by")),
        sa.ForeignKeyConstraint(["approved_by"], ["learners.id"], name=op.f("fk_transfers_approved_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_transfers_payment_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_transfers_reference")),
    )
    op.create_index("ix_transfers_status_id", "transfers", ["status", "id"], unique=False)
    op.create_index("ix_transfers_course_id_id", "transfers", ["course_id", "id"], unique=False)
    op.create_index(op.f("ix_transfers_order_id"), "transfers", ["order_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("transfers")
