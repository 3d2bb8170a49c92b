"""Create the table sign_in_throttles."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime, identifier

revision = "0004_create_sign_in_throttles"
down_revision = "0003_create_password_resets"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "sign_in_throttles",
        sa.Column("key_hash", identifier(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_failure_at", UtcDateTime(), nullable=False),
        sa.Column("locked_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_sign_in_throttles")),
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("sign_in_throttles")
