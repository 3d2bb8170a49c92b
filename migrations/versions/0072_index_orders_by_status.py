"""Add the index of orders on status and created_at."""

from alembic import op

revision = "0072_index_orders_by_status"
down_revision = "0071_index_orders_by_time"


def upgrade() -> None:
    """The orders in one state, newest first."""
    op.create_index(op.f("ix_orders_status_created_at"), "orders", ["status", "created_at"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_orders_status_created_at"), table_name="orders")
