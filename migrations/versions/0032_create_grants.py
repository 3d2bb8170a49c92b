"""Create the table grants."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0032_create_grants"
down_revision = "0031_add_orders_refunded"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "grants",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", identifier(32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("learner_id", RowId, nullable=True),
        sa.Column("course_id", identifier(64), nullable=True),
        sa.Column("license_id", identifier(36), nullable=True),
        sa.Column("batch_id", RowId, nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("reference", identifier(64), nullable=True),
        sa.Column("reference_key", identifier(64), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("input", LongText, nullable=True),
        sa.Column("digest", identifier(64), nullable=False),
        sa.Column("requested_by", RowId, nullable=False),
        sa.Column("approved_by", RowId, nullable=True),
        sa.Column("refusal", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("kind IN ('course', 'extension', 'bulk')", name=op.f("ck_grants_kind")),
        sa.CheckConstraint(
            "status IN ('requested', 'issued', 'refused', 'withdrawn')", name=op.f("ck_grants_status")
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> requested_by", name=op.f("ck_grants_two_persons")
        ),
        sa.CheckConstraint("(kind = 'bulk') = (input IS NOT NULL)", name=op.f("ck_grants_input")),
        sa.CheckConstraint("amount_fen >= 0", name=op.f("ck_grants_amount_not_negative")),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_grants_learner_id")),
        sa.ForeignKeyConstraint(["course_id"], ["products.id"], name=op.f("fk_grants_course_id")),
        sa.ForeignKeyConstraint(["license_id"], ["licenses.id"], name=op.f("fk_grants_license_id")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_grants_batch_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["learners.id"], name=op.f("fk_grants_requested_by")),
        sa.ForeignKeyConstraint(["approved_by"], ["learners.id"], name=op.f("fk_grants_approved_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("public_id", name=op.f("uq_grants_public_id")),
        sa.UniqueConstraint("reference_key", name=op.f("uq_grants_reference_key")),
    )
    op.create_index("ix_grants_status_id", "grants", ["status", "id"], unique=False)
    op.create_index(op.f("ix_grants_batch_id"), "grants", ["batch_id"], unique=False)
    op.create_index(op.f("ix_grants_learner_id"), "grants", ["learner_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("grants")
