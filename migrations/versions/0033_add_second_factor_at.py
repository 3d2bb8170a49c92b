"""Add login_sessions.second_factor_at."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime

revision = "0033_add_second_factor_at"
down_revision = "0032_create_grants"


def upgrade() -> None:
    """Add it, empty: nobody has shown a second factor yet."""
    op.add_column("login_sessions", sa.Column("second_factor_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("login_sessions") as table:
        table.drop_column("second_factor_at")
