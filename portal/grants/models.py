"""The table of grants."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, LongText, RowId, UtcDateTime, identifier, one_of


class GrantKind(StrEnum):
    """What is given."""

    COURSE = "course"
    EXTENSION = "extension"
    """More days on a license that the learner has."""
    BULK = "bulk"
    """A list of courses for many learners."""


class GrantStatus(StrEnum):
    """Where a grant stands."""

    REQUESTED = "requested"
    ISSUED = "issued"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Grant(Base):
    """One act of giving. `amount_fen` is its worth by the course's price, in fen; `digest` fixes what was asked.

    `reference` is the number of a transaction outside the portal; `reference_key` keeps it to one grant that
    is not refused. `license_id` is what a grant of a course made, or the license that an extension is for.
    """

    __tablename__ = "grants"
    __table_args__ = (
        one_of("kind", GrantKind),
        one_of("status", GrantStatus),
        sa.CheckConstraint("approved_by IS NULL OR approved_by <> requested_by", name="two_persons"),
        sa.CheckConstraint("(kind = 'bulk') = (input IS NOT NULL)", name="input"),
        sa.CheckConstraint("amount_fen >= 0", name="amount_not_negative"),
        sa.Index("ix_grants_status_id", "status", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    status: Mapped[str] = mapped_column(sa.String(16))
    learner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    course_id: Mapped[str | None] = mapped_column(sa.ForeignKey("products.id"))
    license_id: Mapped[str | None] = mapped_column(sa.ForeignKey("licenses.id"))
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    days: Mapped[int | None] = mapped_column(sa.Integer)
    reason: Mapped[str] = mapped_column(sa.String(200))
    reference: Mapped[str | None] = mapped_column(identifier(64))
    reference_key: Mapped[str | None] = mapped_column(identifier(64), unique=True)
    amount_fen: Mapped[int] = mapped_column(sa.BigInteger)
    input: Mapped[str | None] = mapped_column(LongText)
    digest: Mapped[str] = mapped_column(identifier(64))
    requested_by: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"))
    approved_by: Mapped[int | None] = mapped_column(sa.ForeignKey("learners.id"))
    refusal: Mapped[str | None] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_waiting(self) -> bool:
        """Tell whether a second person has still to decide."""
        return self.status == GrantStatus.REQUESTED
