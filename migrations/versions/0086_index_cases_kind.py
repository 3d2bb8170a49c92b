"""Index the cases by kind, for the work list."""

from alembic import op

revision = "0086_index_cases_kind"
down_revision = "0085_index_licenses_course"


def upgrade() -> None:
    """The cases of a kind, the newest first."""
    op.create_index(op.f("ix_cases_kind"), "cases", ["kind"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_cases_kind"), table_name="cases")
