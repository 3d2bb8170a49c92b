"""Let rooms add kinds of cases without changing the table."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0038_free_case_kinds"
down_revision = "0037_create_course_instructors"

_KINDS = (
    "kind IN ('mismatch', 'foreign', 'unknown_order', 'duplicate', 'late_unwanted', 'unreadable', "
    "'gateway_rejected', 'dead_letter')"
)


def _cases(*more: sa.CheckConstraint) -> sa.Table:
    """Return the table as it is, because SQLite changes constraints by copying the table."""
    return sa.Table(
        "cases",
        sa.MetaData(),
        sa.Column("id", RowId, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("dedup_key", identifier(128), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("order_id", RowId, nullable=True),
        sa.Column("payment_id", RowId, nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_cases_status")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_cases_order_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_cases_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_cases_dedup_key")),
        sa.Index("ix_cases_order_id", "order_id"),
        sa.Index("ix_cases_payment_id", "payment_id"),
        *more,
    )


def upgrade() -> None:
    """Drop the list of kinds; the code that opens a case is typed with it."""
    with op.batch_alter_table(
        "cases", copy_from=_cases(sa.CheckConstraint(_KINDS, name=op.f("ck_cases_kind")))
    ) as table:
        table.drop_constraint(op.f("ck_cases_kind"), type_="check")


def downgrade() -> None:
    """List the kinds again; cases of newer kinds must be gone."""
    with op.batch_alter_table("cases", copy_from=_cases()) as table:
        table.create_check_constraint(op.f("ck_cases_kind"), _KINDS)
