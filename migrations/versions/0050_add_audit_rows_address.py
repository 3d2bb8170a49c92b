"""Add audit_rows.address."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import identifier

revision = "0050_add_audit_rows_address"
down_revision = "0049_create_switches"


def upgrade() -> None:
    """Add it, empty for what was before."""
    op.add_column("audit_rows", sa.Column("address", identifier(45), nullable=True))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("audit_rows") as table:
        table.drop_column("address")
