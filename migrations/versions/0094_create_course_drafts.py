"""Create the table course_drafts."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0094_create_course_drafts"
down_revision = "0093_create_transfer_numbers"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "course_drafts",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", identifier(32), nullable=False),
        sa.Column("course_id", identifier(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("seen", UtcDateTime(), nullable=False),
        sa.Column("prepared_by", identifier(64), nullable=False),
        sa.Column("decided_by", identifier(64), nullable=True),
        sa.Column("refusal", sa.String(500), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'approved', 'refused', 'withdrawn')", name=op.f("ck_course_drafts_status")
        ),
        sa.ForeignKeyConstraint(["course_id"], ["products.id"], name=op.f("fk_course_drafts_course_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course_drafts")),
        sa.UniqueConstraint("public_id", name=op.f("uq_course_drafts_public_id")),
    )
    op.create_index(op.f("ix_course_drafts_course_id"), "course_drafts", ["course_id"], unique=False)
    op.create_index("ix_course_drafts_status_id", "course_drafts", ["status", "id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("course_drafts")
