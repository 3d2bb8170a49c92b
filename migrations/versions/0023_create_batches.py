"""Create the table batches."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0023_create_batches"
down_revision = "0022_create_idempotency_keys"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "batches",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", identifier(32), nullable=False),
        sa.Column("kind", identifier(32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_by", RowId, nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("input", LongText, nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("is_cancelled", sa.Boolean(create_constraint=True, name="is_cancelled"), nullable=False),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'cancelled', 'failed')", name=op.f("ck_batches_status")
        ),
        sa.CheckConstraint("done >= 0", name=op.f("ck_batches_done_not_negative")),
        sa.ForeignKeyConstraint(["created_by"], ["learners.id"], name=op.f("fk_batches_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("public_id", name=op.f("uq_batches_public_id")),
    )
    op.create_index("ix_batches_created_by_id", "batches", ["created_by", "id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("batches")
