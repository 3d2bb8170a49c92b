"""Tables of long work: Batch, the pieces of its result and its log of problems."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, LongText, RowId, UtcDateTime, identifier, one_of


class BatchStatus(StrEnum):
    """Where a batch stands. CANCELLED keeps what was done before."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """A step failed again and again; what was done before it stays."""


OPEN = (BatchStatus.QUEUED.value, BatchStatus.RUNNING.value)


class Batch(Base):
    """One long piece of work. `done` of `total` items are behind it; `total` is None while it is not known.

    `input` is what it works on, `params` how, `cursor` where the next step begins. `step` counts the steps,
    and is what keeps two workers from doing one of them twice.
    """

    __tablename__ = "batches"
    __table_args__ = (
        one_of("status", BatchStatus),
        sa.CheckConstraint("done >= 0", name="done_not_negative"),
        sa.Index("ix_batches_created_by_id", "created_by", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    kind: Mapped[str] = mapped_column(identifier(32))
    status: Mapped[str] = mapped_column(sa.String(16))
    created_by: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"))
    params: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    input: Mapped[str] = mapped_column(LongText)
    cursor: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    step: Mapped[int] = mapped_column(sa.Integer, default=0)
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    done: Mapped[int] = mapped_column(sa.Integer, default=0)
    total: Mapped[int | None] = mapped_column(sa.Integer)
    is_cancelled: Mapped[bool] = mapped_column(sa.Boolean(create_constraint=True, name="is_cancelled"))
    last_error: Mapped[str | None] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_open(self) -> bool:
        """Tell whether there is still something to be done."""
        return self.status in OPEN


class BatchPart(Base):
    """A piece of the result, in the order of the steps that wrote it."""

    __tablename__ = "batch_parts"
    __table_args__ = (sa.UniqueConstraint("batch_id", "step"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    step: Mapped[int] = mapped_column(sa.Integer)
    text: Mapped[str] = mapped_column(LongText)


class BatchProblem(Base):
    """An item that could not be done, by its number in the input, and why."""

    __tablename__ = "batch_problems"
    __table_args__ = (sa.UniqueConstraint("batch_id", "item"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    item: Mapped[int] = mapped_column(sa.Integer)
    text: Mapped[str] = mapped_column(sa.String(200))
