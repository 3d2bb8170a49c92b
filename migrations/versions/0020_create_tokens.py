"""Create the table tokens."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0020_create_tokens"
down_revision = "0019_create_token_families"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "tokens",
        sa.Column("id", RowId, nullable=False),
        sa.Column("token_hash", identifier(64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("family_id", RowId, nullable=False),
        sa.Column("scope", identifier(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("rotated_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("kind IN ('access', 'refresh')", name=op.f("ck_tokens_kind")),
        sa.ForeignKeyConstraint(["family_id"], ["token_families.id"], name=op.f("fk_tokens_family_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index(op.f("ix_tokens_expires_at"), "tokens", ["expires_at"], unique=False)
    op.create_index(op.f("ix_tokens_family_id"), "tokens", ["family_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("tokens")
