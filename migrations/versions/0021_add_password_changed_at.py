"""Add learners.password_changed_at."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime

revision = "0021_add_password_changed_at"
down_revision = "0020_create_tokens"


def upgrade() -> None:
    """Add it, empty: nobody has tokens yet that an earlier change could void."""
    op.add_column("learners", sa.Column("password_changed_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("learners") as table:
        table.drop_column("password_changed_at")
