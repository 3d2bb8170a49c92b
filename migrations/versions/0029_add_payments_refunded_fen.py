"""Add payments.refunded_fen, and with it the rule that no more is given back than was paid."""

from alembic import op

revision = "0029_add_payments_refunded_fen"
down_revision = "0028_add_payments_reserved_fen"

_CHECK = (
    "CONSTRAINT ck_payments_refunds CHECK "
    "(0 <= refunded_fen AND refunded_fen <= reserved_fen AND reserved_fen <= amount_fen)"
)


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def upgrade() -> None:
    """Add both in one statement; SQLite wants the rule beside its column."""
    separator = " " if _is_sqlite() else ", ADD "
    op.execute(f"ALTER TABLE payments ADD COLUMN refunded_fen BIGINT DEFAULT 0 NOT NULL{separator}{_CHECK}")


def downgrade() -> None:
    """Take both away."""
    rule = "" if _is_sqlite() else "DROP CONSTRAINT ck_payments_refunds, "
    op.execute(f"ALTER TABLE payments {rule}DROP COLUMN refunded_fen")
