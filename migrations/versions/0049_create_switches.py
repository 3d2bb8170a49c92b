"""Create the table switches."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime

revision = "0049_create_switches"
down_revision = "0048_create_gateway_health"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "switches",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("is_on", sa.Boolean(create_constraint=True, name="is_on"), nullable=False),
        sa.Column("text_zh", sa.String(length=300), nullable=False),
        sa.Column("text_en", sa.String(length=300), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("name IN ('sales_pause', 'banner')", name=op.f("ck_switches_name")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switches")),
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("switches")
