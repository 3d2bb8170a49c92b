"""Add orders.refund_state."""

from alembic import op

revision = "0030_add_orders_refund_state"
down_revision = "0029_add_payments_refunded_fen"

_CHECK = (
    "CONSTRAINT ck_orders_refund_state CHECK "
    "(refund_state IS NULL OR refund_state IN ('requested', 'processing', 'abnormal'))"
)


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def upgrade() -> None:
    """Add it with its rule in one statement; SQLite wants the rule beside its column."""
    separator = " " if _is_sqlite() else ", ADD "
    op.execute(f"ALTER TABLE orders ADD COLUMN refund_state VARCHAR(16){separator}{_CHECK}")


def downgrade() -> None:
    """Take both away."""
    rule = "" if _is_sqlite() else "DROP CONSTRAINT ck_orders_refund_state, "
    op.execute(f"ALTER TABLE orders {rule}DROP COLUMN refund_state")
