"""Tables of disputes: Dispute, its history and pictures, and what staff do: DisputeAct and its pictures."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.gateways.complaints import ComplaintState, ProblemType
from portal.kit.db import Base, LongBytes, LongText, RowId, UtcDateTime, identifier, one_of


class ActKind(StrEnum):
    """What staff may do about a dispute."""

    REPLY = "reply"
    COMPLETE = "complete"
    APPROVE_REFUND = "approve_refund"
    """A promise to the payer; the refund itself is made from the order."""
    REJECT_REFUND = "reject_refund"


class ActState(StrEnum):
    """What became of it."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    """The gateway does not take it; nothing was done."""


class Dispute(Base):
    """A complaint as the gateway told it last. Amounts in fen; texts are a stranger's.

    `sealed_phone` is encrypted by the gateway for our certificate and kept so. `first_due_at` and `done_due_at` are
    the gateway's deadlines. `read_at` is when the gateway was asked: an older answer never replaces a newer.
    """

    __tablename__ = "disputes"
    __table_args__ = (
        one_of("state", ComplaintState),
        one_of("problem_type", ProblemType),
        sa.UniqueConstraint("gateway", "mchid", "complaint_id"),
        sa.Index("ix_disputes_state_complained_at_id", "state", "complained_at", "id"),
        sa.Index("ix_disputes_complained_at_id", "complained_at", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    gateway: Mapped[str] = mapped_column(identifier(16))
    mchid: Mapped[str] = mapped_column(identifier(32))
    complaint_id: Mapped[str] = mapped_column(identifier(64))
    order_id: Mapped[int | None] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    payment_id: Mapped[int | None] = mapped_column(sa.ForeignKey("payments.id"), index=True)
    out_trade_no: Mapped[str | None] = mapped_column(identifier(64))
    transaction_id: Mapped[str | None] = mapped_column(identifier(64))
    amount_fen: Mapped[int | None] = mapped_column(sa.BigInteger)
    wanted_fen: Mapped[int | None] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(sa.String(16))
    problem_type: Mapped[str] = mapped_column(sa.String(20))
    problem: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(LongText)
    times: Mapped[int] = mapped_column(sa.Integer)
    is_waiting: Mapped[bool] = mapped_column(sa.Boolean)
    is_refunded: Mapped[bool] = mapped_column(sa.Boolean)
    sealed_phone: Mapped[str | None] = mapped_column(identifier(1024))
    complained_at: Mapped[datetime] = mapped_column(UtcDateTime)
    first_due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def is_open(self) -> bool:
        """Tell whether something is still to be done."""
        return self.state != ComplaintState.PROCESSED

    @property
    def due_at(self) -> datetime | None:
        """Return by when the next step is due; None when it is done."""
        if not self.is_open:
            return None
        return self.first_due_at if self.answered_at is None else self.done_due_at


class DisputeEntry(Base):
    """A step of a dispute's history. Added, never changed. `kind` is the gateway's word."""

    __tablename__ = "dispute_entries"
    __table_args__ = (sa.UniqueConstraint("dispute_id", "log_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    dispute_id: Mapped[int] = mapped_column(sa.ForeignKey("disputes.id"))
    log_id: Mapped[str] = mapped_column(identifier(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    operator: Mapped[str] = mapped_column(sa.String(64))
    kind: Mapped[str] = mapped_column(identifier(64))
    text: Mapped[str] = mapped_column(LongText)


class DisputePicture(Base):
    """A picture of a dispute: only the gateway's id of it; the picture itself stays there."""

    __tablename__ = "dispute_pictures"
    __table_args__ = (sa.UniqueConstraint("dispute_id", "media_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    dispute_id: Mapped[int] = mapped_column(sa.ForeignKey("disputes.id"))
    media_id: Mapped[str] = mapped_column(identifier(512))


class DisputeAct(Base):
    """Something that staff do, written down before the gateway is told.

    `form_token` makes a form sent twice one act. `open_key` is unique while a completion or decision waits, so that
    two people cannot both send one. `called_at`: it may have arrived, so the history is read before it is sent again;
    `log_id` is the step of the history that it became.
    """

    __tablename__ = "dispute_acts"
    __table_args__ = (
        one_of("kind", ActKind),
        one_of("state", ActState),
        sa.UniqueConstraint("form_token"),
        sa.UniqueConstraint("open_key"),
        sa.UniqueConstraint("dispute_id", "log_id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    dispute_id: Mapped[int] = mapped_column(sa.ForeignKey("disputes.id"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    state: Mapped[str] = mapped_column(sa.String(8))
    text: Mapped[str] = mapped_column(sa.String(200))
    days: Mapped[int | None] = mapped_column(sa.Integer)
    actor: Mapped[str] = mapped_column(identifier(64))
    form_token: Mapped[str] = mapped_column(identifier(64))
    open_key: Mapped[str | None] = mapped_column(identifier(64))
    log_id: Mapped[str | None] = mapped_column(identifier(64))
    failure: Mapped[str | None] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    called_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DisputeActPicture(Base):
    """A picture of a reply. Its bytes are here until the reply has been sent; `media_id` is what the gateway calls it."""

    __tablename__ = "dispute_act_pictures"
    __table_args__ = (sa.UniqueConstraint("act_id", "number"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    act_id: Mapped[int] = mapped_column(sa.ForeignKey("dispute_acts.id"))
    number: Mapped[int] = mapped_column(sa.Integer)
    content: Mapped[bytes | None] = mapped_column(LongBytes)
    media_id: Mapped[str | None] = mapped_column(identifier(512))
