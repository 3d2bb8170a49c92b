"""Create the table audit_rows."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0016_create_audit_rows"
down_revision = "0015_create_outbox"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "audit_rows",
        sa.Column("id", RowId, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", identifier(64), nullable=False),
        sa.Column("action", identifier(48), nullable=False),
        sa.Column("subject", identifier(96), nullable=False),
        sa.Column("facts", LongText, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("prev_hash", identifier(64), nullable=True),
        sa.Column("hash", identifier(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_rows")),
        sa.UniqueConstraint("prev_hash", name=op.f("uq_audit_rows_prev_hash")),
        sa.UniqueConstraint("seq", name=op.f("uq_audit_rows_seq")),
    )
    op.create_index(op.f("ix_audit_rows_subject"), "audit_rows", ["subject"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("audit_rows")
