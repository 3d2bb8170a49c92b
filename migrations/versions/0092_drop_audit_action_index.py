"""Drop the index of audit_rows on action."""

from alembic import op

revision = "0092_drop_audit_action_index"
down_revision = "0091_index_audit_action_at"


def upgrade() -> None:
    """The one on action and at does its work."""
    op.drop_index(op.f("ix_audit_rows_action"), table_name="audit_rows")


def downgrade() -> None:
    """Undo it."""
    op.create_index(op.f("ix_audit_rows_action"), "audit_rows", ["action"], unique=False)
