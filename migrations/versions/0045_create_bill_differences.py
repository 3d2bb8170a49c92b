"""Create the table bill_differences."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0045_create_bill_differences"
down_revision = "0044_create_bill_lines"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "bill_differences",
        sa.Column("id", RowId, nullable=False),
        sa.Column("run_id", RowId, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("subject_key", identifier(64), nullable=False),
        sa.Column("line_id", RowId, nullable=True),
        sa.Column("payment_id", RowId, nullable=True),
        sa.Column("theirs_fen", sa.BigInteger(), nullable=True),
        sa.Column("ours_fen", sa.BigInteger(), nullable=True),
        sa.Column("case_id", RowId, nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('missing_here', 'missing_there', 'amount', 'state')",
            name=op.f("ck_bill_differences_kind"),
        ),
        sa.CheckConstraint(
            "subject IN ('payment', 'refund', 'revocation')", name=op.f("ck_bill_differences_subject")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["bill_runs.id"], name=op.f("fk_bill_differences_run_id")),
        sa.ForeignKeyConstraint(["line_id"], ["bill_lines.id"], name=op.f("fk_bill_differences_line_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_bill_differences_payment_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_bill_differences_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_differences")),
        sa.UniqueConstraint(
            "run_id",
            "subject",
            "subject_key",
            "kind",
            name=op.f("uq_bill_differences_run_id_subject_subject_key_kind"),
        ),
    )
    op.create_index(op.f("ix_bill_differences_case_id"), "bill_differences", ["case_id"], unique=False)
    op.create_index(
        "ix_bill_differences_kind_resolved_at", "bill_differences", ["kind", "resolved_at"], unique=False
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("bill_differences")
