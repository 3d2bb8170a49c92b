"""Create the table dispute_pictures."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, identifier

revision = "0063_create_dispute_pictures"
down_revision = "0062_create_dispute_entries"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "dispute_pictures",
        sa.Column("id", RowId, nullable=False),
        sa.Column("dispute_id", RowId, nullable=False),
        sa.Column("media_id", identifier(512), nullable=False),
        sa.ForeignKeyConstraint(["dispute_id"], ["disputes.id"], name=op.f("fk_dispute_pictures_dispute_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute_pictures")),
        sa.UniqueConstraint("dispute_id", "media_id", name=op.f("uq_dispute_pictures_dispute_id_media_id")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dispute_pictures")
