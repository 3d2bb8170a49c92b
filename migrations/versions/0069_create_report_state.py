"""Create the table report_state."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime, identifier

revision = "0069_create_report_state"
down_revision = "0068_create_daily_views"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "report_state",
        sa.Column("name", identifier(16), nullable=False),
        sa.Column("counted_until", UtcDateTime(), nullable=True),
        sa.Column("turns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_report_state")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("report_state")
