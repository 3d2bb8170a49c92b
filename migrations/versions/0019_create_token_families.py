"""Create the table token_families."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0019_create_token_families"
down_revision = "0018_create_device_grants"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "token_families",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", identifier(32), nullable=False),
        sa.Column("learner_id", RowId, nullable=False),
        sa.Column("client_id", identifier(64), nullable=False),
        sa.Column("scope", identifier(64), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_token_families_learner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token_families")),
        sa.UniqueConstraint("public_id", name=op.f("uq_token_families_public_id")),
    )
    op.create_index(op.f("ix_token_families_expires_at"), "token_families", ["expires_at"], unique=False)
    op.create_index(op.f("ix_token_families_learner_id"), "token_families", ["learner_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("token_families")
