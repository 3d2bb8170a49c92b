"""Create the table order_comments."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0077_create_order_comments"
down_revision = "0076_index_payments_transaction"


def upgrade() -> None:
    """Create it, with its index."""
    op.create_table(
        "order_comments",
        sa.Column("id", RowId, nullable=False),
        sa.Column("order_id", RowId, nullable=False),
        sa.Column("actor", identifier(64), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("form_token", identifier(32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_comments_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_comments")),
        sa.UniqueConstraint("form_token", name=op.f("uq_order_comments_form_token")),
    )
    op.create_index(op.f("ix_order_comments_order_id"), "order_comments", ["order_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its index with it."""
    op.drop_table("order_comments")
