"""Drop the index of orders on product_id."""

from alembic import op

revision = "0075_drop_orders_product_index"
down_revision = "0074_index_orders_by_both"


def upgrade() -> None:
    """The longer indexes begin with the same column, and serve the foreign key too."""
    op.drop_index(op.f("ix_orders_product_id"), table_name="orders")


def downgrade() -> None:
    """Undo it."""
    op.create_index(op.f("ix_orders_product_id"), "orders", ["product_id"], unique=False)
