"""Create the table solo_allowances."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId

revision = "0026_create_solo_allowances"
down_revision = "0025_create_batch_problems"


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "solo_allowances",
        sa.Column("id", RowId, nullable=False),
        sa.Column("person_id", RowId, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("spent_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("spent_fen >= 0", name=op.f("ck_solo_allowances_spent_not_negative")),
        sa.ForeignKeyConstraint(["person_id"], ["learners.id"], name=op.f("fk_solo_allowances_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_solo_allowances")),
        sa.UniqueConstraint("person_id", "day", name=op.f("uq_solo_allowances_person_id_day")),
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("solo_allowances")
