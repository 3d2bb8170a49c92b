"""Create the table audit_heads."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime, identifier

revision = "0055_create_audit_heads"
down_revision = "0054_index_audit_rows_action"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "audit_heads",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", identifier(64), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.Column("kid", identifier(64), nullable=False),
        sa.Column("signature", sa.String(length=1400), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_audit_heads")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("audit_heads")
