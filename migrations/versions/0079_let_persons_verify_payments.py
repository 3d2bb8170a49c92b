"""Let a person verify a payment: a transfer that no gateway tells of."""

from portal.kit.migrating import replace_check

revision = "0079_let_persons_verify_payments"
down_revision = "0078_create_dispute_act_pictures"

_BEFORE = "verified_by IS NULL OR verified_by IN ('notify', 'query', 'bill')"
_AFTER = "verified_by IS NULL OR verified_by IN ('notify', 'query', 'bill', 'person')"


def upgrade() -> None:
    """Allow it."""
    replace_check("payments", "ck_payments_verified_by", _BEFORE, _AFTER)


def downgrade() -> None:
    """Forbid it again; fails while such a payment is there, because that must not be forgotten."""
    replace_check("payments", "ck_payments_verified_by", _AFTER, _BEFORE)
