"""Create the table learners."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0001_create_learners"
down_revision = None


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "learners",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", identifier(32), nullable=False),
        sa.Column("email", identifier(254), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("locale IN ('zh_Hans_CN', 'en')", name=op.f("ck_learners_locale")),
        sa.CheckConstraint(
            "role IN ('learner', 'instructor', 'support', 'finance', 'admin')", name=op.f("ck_learners_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learners")),
        sa.UniqueConstraint("email", name=op.f("uq_learners_email")),
        sa.UniqueConstraint("public_id", name=op.f("uq_learners_public_id")),
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("learners")
