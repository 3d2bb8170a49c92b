"""Refuse every UPDATE of audit_rows but its sealing."""

from alembic import op

revision = "0056_guard_audit_rows_update"
down_revision = "0055_create_audit_heads"


_SQLITE = """
CREATE TRIGGER audit_rows_no_update BEFORE UPDATE ON audit_rows
WHEN OLD.seq IS NOT NULL
    OR NEW.id IS NOT OLD.id
    OR NEW.at IS NOT OLD.at
    OR NEW.actor IS NOT OLD.actor
    OR NEW.action IS NOT OLD.action
    OR NEW.subject IS NOT OLD.subject
    OR NEW.facts IS NOT OLD.facts
    OR NEW.address IS NOT OLD.address
    OR NEW.session IS NOT OLD.session
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END
"""
# The collation of `facts` takes A for a.
_MYSQL = """
CREATE TRIGGER audit_rows_no_update BEFORE UPDATE ON audit_rows FOR EACH ROW
IF OLD.seq IS NOT NULL
    OR NOT (NEW.id <=> OLD.id)
    OR NOT (NEW.at <=> OLD.at)
    OR NOT (NEW.actor <=> OLD.actor)
    OR NOT (NEW.action <=> OLD.action)
    OR NOT (NEW.subject <=> OLD.subject)
    OR NOT (CAST(NEW.facts AS BINARY) <=> CAST(OLD.facts AS BINARY))
    OR NOT (NEW.address <=> OLD.address)
    OR NOT (NEW.session <=> OLD.session) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'audit rows are never changed';
END IF
"""


def upgrade() -> None:
    """Make the trigger. The user who migrates needs the privilege TRIGGER (docs/operations.md)."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(_SQLITE if is_sqlite else _MYSQL)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TRIGGER audit_rows_no_update")
