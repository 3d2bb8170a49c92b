"""Create the table pictures."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongBytes, RowId, UtcDateTime, identifier

revision = "0080_create_pictures"
down_revision = "0079_let_persons_verify_payments"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "pictures",
        sa.Column("id", RowId, nullable=False),
        sa.Column("media_type", sa.String(length=16), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("sha256", identifier(64), nullable=False),
        sa.Column("content", LongBytes, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "media_type IN ('image/png', 'image/jpeg', 'image/webp')", name=op.f("ck_pictures_media_type")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pictures")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("pictures")
