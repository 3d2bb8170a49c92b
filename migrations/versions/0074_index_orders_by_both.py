"""Add the index of orders on product_id, status and created_at."""

from alembic import op

revision = "0074_index_orders_by_both"
down_revision = "0073_index_orders_by_product"


def upgrade() -> None:
    """The orders of one product in one state, newest first."""
    op.create_index(
        op.f("ix_orders_product_id_status_created_at"),
        "orders",
        ["product_id", "status", "created_at"],
        unique=False,
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_orders_product_id_status_created_at"), table_name="orders")
