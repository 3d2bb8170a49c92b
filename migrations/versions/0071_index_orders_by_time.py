"""Add the index of orders on created_at."""

from alembic import op

revision = "0071_index_orders_by_time"
down_revision = "0070_index_ledger_by_time"


def upgrade() -> None:
    """All orders, newest first; and the orders of a day."""
    op.create_index(op.f("ix_orders_created_at"), "orders", ["created_at"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_orders_created_at"), table_name="orders")
