"""Index the cases by owner, for the work list."""

from alembic import op

revision = "0087_index_cases_owner"
down_revision = "0086_index_cases_kind"


def upgrade() -> None:
    """What somebody took, the newest first."""
    op.create_index(op.f("ix_cases_owner"), "cases", ["owner"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_cases_owner"), table_name="cases")
