"""Add audit_rows.session."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import identifier

revision = "0051_add_audit_rows_session"
down_revision = "0050_add_audit_rows_address"


def upgrade() -> None:
    """Add it, empty for what was before."""
    op.add_column("audit_rows", sa.Column("session", identifier(32), nullable=True))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("audit_rows") as table:
        table.drop_column("session")
