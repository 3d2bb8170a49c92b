"""Let an order be refunded."""

from portal.kit.migrating import replace_check

revision = "0031_add_orders_refunded"
down_revision = "0030_add_orders_refund_state"

_BEFORE = "status IN ('pending', 'paid', 'completed', 'expired', 'cancelled', 'failed')"
_AFTER = "status IN ('pending', 'paid', 'completed', 'expired', 'cancelled', 'failed', 'refunded')"


def upgrade() -> None:
    """Allow the state."""
    replace_check("orders", "ck_orders_status", _BEFORE, _AFTER)


def downgrade() -> None:
    """Forbid it again; fails while an order is refunded, because that must not be forgotten."""
    replace_check("orders", "ck_orders_status", _AFTER, _BEFORE)
