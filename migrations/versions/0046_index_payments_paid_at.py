"""Index the payments by the moment they were paid."""

from alembic import op

revision = "0046_index_payments_paid_at"
down_revision = "0045_create_bill_differences"


def upgrade() -> None:
    """Make the index: a bill is compared with a day's payments."""
    op.create_index("ix_payments_paid_at", "payments", ["paid_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_payments_paid_at", table_name="payments")
