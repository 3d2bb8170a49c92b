"""Index the learners by role, for the list of people."""

from alembic import op

revision = "0088_index_learners_role"
down_revision = "0087_index_cases_owner"


def upgrade() -> None:
    """The few that are staff are found among many learners."""
    op.create_index(op.f("ix_learners_role"), "learners", ["role"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_learners_role"), table_name="learners")
