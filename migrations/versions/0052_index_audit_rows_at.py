"""Index audit_rows.at."""

from alembic import op

revision = "0052_index_audit_rows_at"
down_revision = "0051_add_audit_rows_session"


def upgrade() -> None:
    """Make the index that the audit's page filters by."""
    op.create_index(op.f("ix_audit_rows_at"), "audit_rows", ["at"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index(op.f("ix_audit_rows_at"), table_name="audit_rows")
