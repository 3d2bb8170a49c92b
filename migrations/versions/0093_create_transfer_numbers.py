"""Create the table transfer_numbers."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, identifier

revision = "0093_create_transfer_numbers"
down_revision = "0092_drop_audit_action_index"


def upgrade() -> None:
    """Create it, with its index."""
    op.create_table(
        "transfer_numbers",
        sa.Column("number", identifier(64), nullable=False),
        sa.Column("payment_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_transfer_numbers_payment_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_transfer_numbers")),
    )
    op.create_index(op.f("ix_transfer_numbers_payment_id"), "transfer_numbers", ["payment_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its index with it."""
    op.drop_table("transfer_numbers")
