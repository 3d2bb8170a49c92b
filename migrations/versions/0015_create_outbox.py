"""Create the table outbox."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0015_create_outbox"
down_revision = "0014_create_cases"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "outbox",
        sa.Column("id", RowId, nullable=False),
        sa.Column("kind", identifier(32), nullable=False),
        sa.Column("effect_key", identifier(96), nullable=False),
        sa.Column("subject_id", identifier(64), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", identifier(32), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'done', 'dead')", name=op.f("ck_outbox_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("effect_key", name=op.f("uq_outbox_effect_key")),
    )
    op.create_index("ix_outbox_kind_subject_id", "outbox", ["kind", "subject_id"], unique=False)
    op.create_index("ix_outbox_status_due_at", "outbox", ["status", "due_at"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("outbox")
