"""Add the index of audit_rows on actor and at."""

from alembic import op

revision = "0089_index_audit_actor_at"
down_revision = "0088_index_learners_role"


def upgrade() -> None:
    """What somebody did, the newest first, and on a day."""
    op.create_index(op.f("ix_audit_rows_actor_at"), "audit_rows", ["actor", "at"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_audit_rows_actor_at"), table_name="audit_rows")
