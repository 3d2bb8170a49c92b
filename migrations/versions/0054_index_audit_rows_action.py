"""Index audit_rows.action."""

from alembic import op

revision = "0054_index_audit_rows_action"
down_revision = "0053_index_audit_rows_actor"


def upgrade() -> None:
    """Make the index that the audit's page filters by."""
    op.create_index(op.f("ix_audit_rows_action"), "audit_rows", ["action"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index(op.f("ix_audit_rows_action"), table_name="audit_rows")
