"""Create the table password_resets."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0003_create_password_resets"
down_revision = "0002_create_login_sessions"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "password_resets",
        sa.Column("id", RowId, nullable=False),
        sa.Column("token_hash", identifier(64), nullable=True),
        sa.Column("learner_id", RowId, nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_password_resets_learner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_resets")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_resets_token_hash")),
    )
    op.create_index(op.f("ix_password_resets_learner_id"), "password_resets", ["learner_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("password_resets")
