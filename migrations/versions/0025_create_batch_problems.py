"""Create the table batch_problems."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId

revision = "0025_create_batch_problems"
down_revision = "0024_create_batch_parts"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "batch_problems",
        sa.Column("id", RowId, nullable=False),
        sa.Column("batch_id", RowId, nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_batch_problems_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_problems")),
        sa.UniqueConstraint("batch_id", "item", name=op.f("uq_batch_problems_batch_id_item")),
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("batch_problems")
