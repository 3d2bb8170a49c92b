"""Create the table bill_lines."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0044_create_bill_lines"
down_revision = "0043_create_bill_parts"


def upgrade() -> None:
    """Create it, with its index."""
    op.create_table(
        "bill_lines",
        sa.Column("id", RowId, nullable=False),
        sa.Column("run_id", RowId, nullable=False),
        sa.Column("gateway", identifier(16), nullable=False),
        sa.Column("mchid", identifier(32), nullable=False),
        sa.Column("bill_date", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("line_key", identifier(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("appid", identifier(64), nullable=False),
        sa.Column("transaction_id", identifier(64), nullable=False),
        sa.Column("out_trade_no", identifier(64), nullable=False),
        sa.Column("trade_type", identifier(64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("refund_id", identifier(64), nullable=True),
        sa.Column("out_refund_no", identifier(64), nullable=True),
        sa.CheckConstraint("kind IN ('payment', 'refund', 'revocation')", name=op.f("ck_bill_lines_kind")),
        sa.CheckConstraint(
            "state IN ('success', 'processing', 'abnormal', 'closed', 'revoked')",
            name=op.f("ck_bill_lines_state"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["bill_runs.id"], name=op.f("fk_bill_lines_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_lines")),
        sa.UniqueConstraint(
            "gateway",
            "mchid",
            "kind",
            "line_key",
            "bill_date",
            name=op.f("uq_bill_lines_gateway_mchid_kind_line_key_bill_date"),
        ),
    )
    op.create_index("ix_bill_lines_run_id_number", "bill_lines", ["run_id", "number"], unique=False)


def downgrade() -> None:
    """Drop it, and its index with it."""
    op.drop_table("bill_lines")
