"""Create the table case_events."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0041_create_case_events"
down_revision = "0040_index_case_status"


def upgrade() -> None:
    """Create it, with its index."""
    op.create_table(
        "case_events",
        sa.Column("id", RowId, nullable=False),
        sa.Column("case_id", RowId, nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("actor", identifier(64), nullable=False),
        sa.Column("text", sa.String(length=2000), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "act IN ('commented', 'taken', 'closed', 'reopened')", name=op.f("ck_case_events_act")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_events_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
    )
    op.create_index(op.f("ix_case_events_case_id"), "case_events", ["case_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its index with it."""
    op.drop_table("case_events")
