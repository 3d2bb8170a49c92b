"""Create the table dispute_act_pictures."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongBytes, RowId, identifier

revision = "0078_create_dispute_act_pictures"
down_revision = "0077_create_order_comments"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "dispute_act_pictures",
        sa.Column("id", RowId, nullable=False),
        sa.Column("act_id", RowId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", LongBytes, nullable=True),
        sa.Column("media_id", identifier(512), nullable=True),
        sa.ForeignKeyConstraint(["act_id"], ["dispute_acts.id"], name=op.f("fk_dispute_act_pictures_act_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_act_pictures")),
        sa.UniqueConstraint("act_id", "number", name=op.f("uq_dispute_act_pictures_act_id_number")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dispute_act_pictures")
