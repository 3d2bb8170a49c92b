"""Add the index of ledger_entries on created_at."""

from alembic import op

revision = "0070_index_ledger_by_time"
down_revision = "0069_create_report_state"


def upgrade() -> None:
    """The entries of a day are counted together."""
    op.create_index(op.f("ix_ledger_entries_created_at"), "ledger_entries", ["created_at"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_ledger_entries_created_at"), table_name="ledger_entries")
