"""Add the index of transfers on course, status and id."""

from alembic import op

revision = "0096_index_transfers_status"
down_revision = "0095_let_a_hold_be_switched"


def upgrade() -> None:
    """What stands how in a course, the newest first."""
    op.create_index(
        op.f("ix_transfers_course_id_status_id"), "transfers", ["course_id", "status", "id"], unique=False
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_transfers_course_id_status_id"), table_name="transfers")
