"""Add the index of orders on product_id and created_at."""

from alembic import op

revision = "0073_index_orders_by_product"
down_revision = "0072_index_orders_by_status"


def upgrade() -> None:
    """The orders of one product, newest first."""
    op.create_index(
        op.f("ix_orders_product_id_created_at"), "orders", ["product_id", "created_at"], unique=False
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_orders_product_id_created_at"), table_name="orders")
