"""Create the table idempotency_keys."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0022_create_idempotency_keys"
down_revision = "0021_add_password_changed_at"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "idempotency_keys",
        sa.Column("id", RowId, nullable=False),
        sa.Column("principal", identifier(64), nullable=False),
        sa.Column("method", identifier(8), nullable=False),
        sa.Column("route", identifier(64), nullable=False),
        sa.Column("key", identifier(255), nullable=False),
        sa.Column("body_digest", identifier(64), nullable=False),
        sa.Column("lease", identifier(32), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.Column("subject_id", identifier(64), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", LongText, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint(
            "principal", "method", "route", "key", name=op.f("uq_idempotency_keys_principal_method_route_key")
        ),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("idempotency_keys")
