"""Add cases.owner."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import identifier

revision = "0039_add_case_owner"
down_revision = "0038_free_case_kinds"


def upgrade() -> None:
    """Add it, empty: nobody has taken a case yet."""
    op.add_column("cases", sa.Column("owner", identifier(64), nullable=True))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("cases") as table:
        table.drop_column("owner")
