"""The table of what a person has decided alone."""

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId


class SoloAllowance(Base):
    """How much, in fen, a person has given away alone on a day (in Beijing)."""

    __tablename__ = "solo_allowances"
    __table_args__ = (
        sa.CheckConstraint("spent_fen >= 0", name="spent_not_negative"),
        sa.UniqueConstraint("person_id", "day"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"))
    day: Mapped[date] = mapped_column(sa.Date)
    spent_fen: Mapped[int] = mapped_column(sa.BigInteger)
