"""Refuse every UPDATE of ledger_entries."""

from alembic import op

revision = "0058_guard_ledger_entries_update"
down_revision = "0057_guard_audit_rows_delete"


_SQLITE = """
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger entries are never changed'); END
"""
_MYSQL = """
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ledger entries are never changed'
"""


def upgrade() -> None:
    """Make the trigger. The user who migrates needs the privilege TRIGGER (docs/operations.md)."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(_SQLITE if is_sqlite else _MYSQL)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TRIGGER ledger_entries_no_update")
