"""Create the table orders."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0008_create_orders"
down_revision = "0007_create_prices"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "orders",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", identifier(32), nullable=False),
        sa.Column("learner_id", RowId, nullable=False),
        sa.Column("product_id", identifier(64), nullable=False),
        sa.Column("product_kind", sa.String(length=16), nullable=False),
        sa.Column("title_zh", sa.String(length=120), nullable=False),
        sa.Column("title_en", sa.String(length=120), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("license_days", sa.Integer(), nullable=False),
        sa.Column("max_downloads", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=4), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("closing", sa.String(length=16), nullable=True),
        sa.Column("open_key", identifier(96), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("completed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "closing IS NULL OR closing IN ('expired', 'cancelled')", name=op.f("ck_orders_closing")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'paid', 'completed', 'expired', 'cancelled', 'failed')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_orders_amount_positive")),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_orders_learner_id")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_orders_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("open_key", name=op.f("uq_orders_open_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_orders_public_id")),
    )
    op.create_index("ix_orders_learner_id_created_at", "orders", ["learner_id", "created_at"], unique=False)
    op.create_index(op.f("ix_orders_product_id"), "orders", ["product_id"], unique=False)
    op.create_index("ix_orders_status_expires_at", "orders", ["status", "expires_at"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("orders")
