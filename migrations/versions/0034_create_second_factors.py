"""Create the table second_factors."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0034_create_second_factors"
down_revision = "0033_add_second_factor_at"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "second_factors",
        sa.Column("learner_id", RowId, autoincrement=False, nullable=False),
        sa.Column("sealed_seed", identifier(120), nullable=True),
        sa.Column("pending_seed", identifier(120), nullable=True),
        sa.Column("pending_for", identifier(32), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_second_factors_learner_id")),
        sa.PrimaryKeyConstraint("learner_id", name=op.f("pk_second_factors")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("second_factors")
