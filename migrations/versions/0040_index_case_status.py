"""Index the cases by status, for the work list."""

from alembic import op

revision = "0040_index_case_status"
down_revision = "0039_add_case_owner"


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_cases_status_id", "cases", ["status", "id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_cases_status_id", table_name="cases")
