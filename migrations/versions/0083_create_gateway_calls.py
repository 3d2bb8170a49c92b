"""Create the table gateway_calls."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0083_create_gateway_calls"
down_revision = "0082_create_transfers"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "gateway_calls",
        sa.Column("id", RowId, nullable=False),
        sa.Column("gateway", identifier(16), nullable=False),
        sa.Column("number", identifier(64), nullable=False),
        sa.Column("method", identifier(8), nullable=False),
        sa.Column("route", identifier(96), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("verdict", identifier(64), nullable=False),
        sa.Column("request_id", identifier(128), nullable=True),
        sa.Column("ms", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_calls")),
    )
    op.create_index(op.f("ix_gateway_calls_at"), "gateway_calls", ["at"])
    op.create_index(op.f("ix_gateway_calls_number_id"), "gateway_calls", ["number", "id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("gateway_calls")
