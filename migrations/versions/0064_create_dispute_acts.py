"""Create the table dispute_acts."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0064_create_dispute_acts"
down_revision = "0063_create_dispute_pictures"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "dispute_acts",
        sa.Column("id", RowId, nullable=False),
        sa.Column("dispute_id", RowId, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("text", sa.String(length=200), nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("actor", identifier(64), nullable=False),
        sa.Column("form_token", identifier(64), nullable=False),
        sa.Column("open_key", identifier(64), nullable=True),
        sa.Column("log_id", identifier(64), nullable=True),
        sa.Column("failure", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("called_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('reply', 'complete', 'approve_refund', 'reject_refund')",
            name=op.f("ck_dispute_acts_kind"),
        ),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'refused')", name=op.f("ck_dispute_acts_state")),
        sa.ForeignKeyConstraint(["dispute_id"], ["disputes.id"], name=op.f("fk_dispute_acts_dispute_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_acts")),
        sa.UniqueConstraint("dispute_id", "log_id", name=op.f("uq_dispute_acts_dispute_id_log_id")),
        sa.UniqueConstraint("form_token", name=op.f("uq_dispute_acts_form_token")),
        sa.UniqueConstraint("open_key", name=op.f("uq_dispute_acts_open_key")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dispute_acts")
