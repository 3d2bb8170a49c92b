"""Create the table dispute_entries."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0062_create_dispute_entries"
down_revision = "0061_create_disputes"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "dispute_entries",
        sa.Column("id", RowId, nullable=False),
        sa.Column("dispute_id", RowId, nullable=False),
        sa.Column("log_id", identifier(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("operator", sa.String(length=64), nullable=False),
        sa.Column("kind", identifier(64), nullable=False),
        sa.Column("text", LongText, nullable=False),
        sa.ForeignKeyConstraint(["dispute_id"], ["disputes.id"], name=op.f("fk_dispute_entries_dispute_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_entries")),
        sa.UniqueConstraint("dispute_id", "log_id", name=op.f("uq_dispute_entries_dispute_id_log_id")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dispute_entries")
