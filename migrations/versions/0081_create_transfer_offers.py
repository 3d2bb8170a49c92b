"""Create the table transfer_offers."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0081_create_transfer_offers"
down_revision = "0080_create_pictures"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "transfer_offers",
        sa.Column("course_id", identifier(64), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("receiver", sa.String(length=60), nullable=False),
        sa.Column("note_zh", sa.String(length=500), nullable=False),
        sa.Column("note_en", sa.String(length=500), nullable=False),
        sa.Column("picture_id", RowId, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("mode IN ('off', 'beside', 'only')", name=op.f("ck_transfer_offers_mode")),
        sa.CheckConstraint("mode = 'off' OR picture_id IS NOT NULL", name=op.f("ck_transfer_offers_picture")),
        sa.ForeignKeyConstraint(["course_id"], ["products.id"], name=op.f("fk_transfer_offers_course_id")),
        sa.ForeignKeyConstraint(["picture_id"], ["pictures.id"], name=op.f("fk_transfer_offers_picture_id")),
        sa.PrimaryKeyConstraint("course_id", name=op.f("pk_transfer_offers")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("transfer_offers")
