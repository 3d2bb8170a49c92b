"""Create the table courses."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import identifier

revision = "0006_create_courses"
down_revision = "0005_create_products"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "courses",
        sa.Column("id", identifier(64), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("estimated_hours", sa.Integer(), nullable=False),
        sa.Column("license_days", sa.Integer(), nullable=False),
        sa.Column("max_downloads", sa.Integer(), nullable=False),
        sa.Column("chapters", sa.JSON(), nullable=False),
        sa.Column("gitee", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["products.id"], name=op.f("fk_courses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courses")),
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("courses")
