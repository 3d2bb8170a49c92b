"""Create the table batch_parts."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId

revision = "0024_create_batch_parts"
down_revision = "0023_create_batches"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "batch_parts",
        sa.Column("id", RowId, nullable=False),
        sa.Column("batch_id", RowId, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("text", LongText, nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_batch_parts_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_parts")),
        sa.UniqueConstraint("batch_id", "step", name=op.f("uq_batch_parts_batch_id_step")),
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("batch_parts")
