"""Tables of cases: Case, and CaseEvent (what was done and said about it)."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of


class CaseKind(StrEnum):
    """Why a person has to look.

    Rooms add kinds as they learn what can go wrong, so the database keeps no list of them.
    """

    MISMATCH = "mismatch"
    """A genuine payment whose amount, currency or type is not what we asked for."""
    FOREIGN = "foreign"
    """A genuine message about another merchant or app: our APIv3 key may be known to others."""
    UNKNOWN_ORDER = "unknown_order"
    DUPLICATE = "duplicate"
    """Paid twice; a refund is proposed."""
    LATE_UNWANTED = "late_unwanted"
    """Paid after the end, and the course is owned already; a refund is proposed."""
    UNKNOWN_DISPUTE = "unknown_dispute"
    """A complaint about a payment that is not in our books."""
    UNREADABLE = "unreadable"
    """A signed message that we cannot make sense of."""
    GATEWAY_REJECTED = "gateway_rejected"
    DEAD_LETTER = "dead_letter"
    BILL_MISSING_HERE = "bill_missing_here"
    """The gateway's bill has a payment or refund that our books lack."""
    BILL_MISSING_THERE = "bill_missing_there"
    """Our books have one that the gateway's bill lacks."""
    BILL_AMOUNT = "bill_amount"
    BILL_STATE = "bill_state"
    """Bill and books disagree about an amount, or about what became of the money."""
    BILL_OVERDUE = "bill_overdue"
    """The bill of a day has not come, or cannot be used."""
    REFUND_UNKNOWN = "refund_unknown"
    """A genuine refund that cannot be booked, or one the gateway hints at and nobody here knows."""
    REFUND_FAILED = "refund_failed"
    """Refused, abnormal or closed at the gateway: a person decides what follows."""
    REFUND_PENDING = "refund_pending"
    """Without an end for too long."""
    TRANSFER_WAITING = "transfer_waiting"
    """A learner says that a transfer was made, and for three days nobody has decided."""


class CaseStatus(StrEnum):
    """Whether somebody still has to look."""

    OPEN = "open"
    CLOSED = "closed"


class CaseAct(StrEnum):
    """What was done to a case after it was opened."""

    COMMENTED = "commented"
    TAKEN = "taken"
    CLOSED = "closed"
    REOPENED = "reopened"


class Case(Base):
    """Something to be looked at. `dedup_key` keeps one cause to one case; `owner` is whoever took it, as an actor."""

    __tablename__ = "cases"
    __table_args__ = (one_of("status", CaseStatus), sa.Index("ix_cases_status_id", "status", "id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(24), index=True)
    dedup_key: Mapped[str] = mapped_column(identifier(128), unique=True)
    status: Mapped[str] = mapped_column(sa.String(8), default=CaseStatus.OPEN.value)
    order_id: Mapped[int | None] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    payment_id: Mapped[int | None] = mapped_column(sa.ForeignKey("payments.id"), index=True)
    amount_fen: Mapped[int | None] = mapped_column(sa.BigInteger)
    currency: Mapped[str | None] = mapped_column(sa.String(3))
    evidence: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    owner: Mapped[str | None] = mapped_column(identifier(64), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def is_open(self) -> bool:
        """Tell whether somebody still has to look."""
        return self.status == CaseStatus.OPEN


class CaseEvent(Base):
    """A comment, or a step of a case with its reason. Added, never changed."""

    __tablename__ = "case_events"
    __table_args__ = (one_of("act", CaseAct),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    act: Mapped[str] = mapped_column(sa.String(16))
    actor: Mapped[str] = mapped_column(identifier(64))
    text: Mapped[str] = mapped_column(sa.String(2000))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
