"""Add the index of audit_rows on action and at."""

from alembic import op

revision = "0091_index_audit_action_at"
down_revision = "0090_drop_audit_actor_index"


def upgrade() -> None:
    """How often something was done, the newest first, and on a day."""
    op.create_index(op.f("ix_audit_rows_action_at"), "audit_rows", ["action", "at"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_audit_rows_action_at"), table_name="audit_rows")
