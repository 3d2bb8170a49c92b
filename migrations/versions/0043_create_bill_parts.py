"""Create the table bill_parts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from portal.kit.db import RowId

revision = "0043_create_bill_parts"
down_revision = "0042_create_bill_runs"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "bill_parts",
        sa.Column("id", RowId, nullable=False),
        sa.Column("run_id", RowId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql"), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["bill_runs.id"], name=op.f("fk_bill_parts_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_parts")),
        sa.UniqueConstraint("run_id", "number", name=op.f("uq_bill_parts_run_id_number")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("bill_parts")
