"""Create the table used_codes."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId

revision = "0035_create_used_codes"
down_revision = "0034_create_second_factors"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "used_codes",
        sa.Column("learner_id", RowId, autoincrement=False, nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_used_codes_learner_id")),
        sa.PrimaryKeyConstraint("learner_id", "step", name=op.f("pk_used_codes")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("used_codes")
