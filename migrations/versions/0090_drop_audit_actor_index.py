"""Drop the index of audit_rows on actor."""

from alembic import op

revision = "0090_drop_audit_actor_index"
down_revision = "0089_index_audit_actor_at"


def upgrade() -> None:
    """The one on actor and at does its work."""
    op.drop_index(op.f("ix_audit_rows_actor"), table_name="audit_rows")


def downgrade() -> None:
    """Undo it."""
    op.create_index(op.f("ix_audit_rows_actor"), "audit_rows", ["actor"], unique=False)
