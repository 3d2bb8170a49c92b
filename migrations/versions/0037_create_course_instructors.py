"""Create the table course_instructors."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, identifier

revision = "0037_create_course_instructors"
down_revision = "0036_create_recovery_codes"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "course_instructors",
        sa.Column("learner_id", RowId, autoincrement=False, nullable=False),
        sa.Column("course_id", identifier(64), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["products.id"], name=op.f("fk_course_instructors_course_id")),
        sa.ForeignKeyConstraint(
            ["learner_id"], ["learners.id"], name=op.f("fk_course_instructors_learner_id")
        ),
        sa.PrimaryKeyConstraint("learner_id", "course_id", name=op.f("pk_course_instructors")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("course_instructors")
