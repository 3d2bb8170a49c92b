"""Refuse every DELETE of audit_rows."""

from alembic import op

revision = "0057_guard_audit_rows_delete"
down_revision = "0056_guard_audit_rows_update"


_SQLITE = """
CREATE TRIGGER audit_rows_no_delete BEFORE DELETE ON audit_rows
BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END
"""
_MYSQL = """
CREATE TRIGGER audit_rows_no_delete BEFORE DELETE ON audit_rows FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'audit rows are never deleted'
"""


def upgrade() -> None:
    """Make the trigger. The user who migrates needs the privilege TRIGGER (docs/operations.md)."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(_SQLITE if is_sqlite else _MYSQL)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TRIGGER audit_rows_no_delete")
