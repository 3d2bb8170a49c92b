"""The table of work to do."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of


class JobStatus(StrEnum):
    """Whether the work is still to be done. DEAD was given up and has a case."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"


class Job(Base):
    """One effect to bring about. `subject_id` is the id of what it is about, and all it is given."""

    __tablename__ = "outbox"
    __table_args__ = (
        one_of("status", JobStatus),
        sa.Index("ix_outbox_status_due_at", "status", "due_at"),
        sa.Index("ix_outbox_kind_subject_id", "kind", "subject_id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(identifier(32))
    effect_key: Mapped[str] = mapped_column(identifier(96), unique=True)
    subject_id: Mapped[str] = mapped_column(identifier(64))
    status: Mapped[str] = mapped_column(sa.String(8), default=JobStatus.PENDING.value)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    lease: Mapped[str | None] = mapped_column(identifier(32))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
