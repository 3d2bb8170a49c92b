"""Add the index of payments on transaction_id."""

from alembic import op

revision = "0076_index_payments_transaction"
down_revision = "0075_drop_orders_product_index"


def upgrade() -> None:
    """A transaction is found by the number on the payer's bill."""
    op.create_index(op.f("ix_payments_transaction_id"), "payments", ["transaction_id"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_payments_transaction_id"), table_name="payments")
