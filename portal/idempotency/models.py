"""The table of calls that must have one effect."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, LongText, RowId, UtcDateTime, identifier


class IdempotencyKey(Base):
    """One call of one caller. `body_digest` tells a repeat from another call under the same key.

    `lease` is whoever is answering it, until `lease_until`. `subject_id` and `status` are the step reached:
    the id of what was made, and the status it will be answered with. `answer` is set once, at the end.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.UniqueConstraint("principal", "method", "route", "key"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    principal: Mapped[str] = mapped_column(identifier(64))
    method: Mapped[str] = mapped_column(identifier(8))
    route: Mapped[str] = mapped_column(identifier(64))
    key: Mapped[str] = mapped_column(identifier(255))
    body_digest: Mapped[str] = mapped_column(identifier(64))
    lease: Mapped[str] = mapped_column(identifier(32))
    lease_until: Mapped[datetime] = mapped_column(UtcDateTime)
    subject_id: Mapped[str | None] = mapped_column(identifier(64))
    status: Mapped[int | None] = mapped_column(sa.Integer)
    answer: Mapped[str | None] = mapped_column(LongText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
