"""Index audit_rows.actor."""

from alembic import op

revision = "0053_index_audit_rows_actor"
down_revision = "0052_index_audit_rows_at"


def upgrade() -> None:
    """Make the index that the audit's page filters by."""
    op.create_index(op.f("ix_audit_rows_actor"), "audit_rows", ["actor"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index(op.f("ix_audit_rows_actor"), table_name="audit_rows")
