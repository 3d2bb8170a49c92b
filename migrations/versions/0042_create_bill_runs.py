"""Create the table bill_runs."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0042_create_bill_runs"
down_revision = "0041_create_case_events"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "bill_runs",
        sa.Column("id", RowId, nullable=False),
        sa.Column("gateway", identifier(16), nullable=False),
        sa.Column("mchid", identifier(32), nullable=False),
        sa.Column("bill_date", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=True),
        sa.Column("sha1", identifier(40), nullable=True),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("their_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("their_refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("our_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("our_refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("planned_at", UtcDateTime(), nullable=True),
        sa.Column("first_tried_at", UtcDateTime(), nullable=True),
        sa.Column("imported_at", UtcDateTime(), nullable=True),
        sa.Column("compared_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'imported', 'balanced', 'different')", name=op.f("ck_bill_runs_state")
        ),
        sa.CheckConstraint(
            "source IS NULL OR source IN ('gateway', 'file')", name=op.f("ck_bill_runs_source")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_runs")),
        sa.UniqueConstraint(
            "gateway", "mchid", "bill_date", name=op.f("uq_bill_runs_gateway_mchid_bill_date")
        ),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("bill_runs")
