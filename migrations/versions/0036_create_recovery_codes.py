"""Create the table recovery_codes."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0036_create_recovery_codes"
down_revision = "0035_create_used_codes"


def upgrade() -> None:
    """Create it, with its index."""
    op.create_table(
        "recovery_codes",
        sa.Column("id", RowId, nullable=False),
        sa.Column("learner_id", RowId, nullable=False),
        sa.Column("code_hash", identifier(64), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_recovery_codes_learner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_codes_code_hash")),
    )
    op.create_index(op.f("ix_recovery_codes_learner_id"), "recovery_codes", ["learner_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its index with it."""
    op.drop_table("recovery_codes")
