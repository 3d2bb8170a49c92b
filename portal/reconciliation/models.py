"""Tables of reconciliation: BillRun (a day), its file, its lines, and what differs."""

from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from portal.gateways.base import BillKind, BillState
from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of


class RunState(StrEnum):
    """Where a day stands."""

    WAITING = "waiting"
    """There is no bill yet."""
    IMPORTED = "imported"
    """The bill is here, and not compared to its end."""
    BALANCED = "balanced"
    DIFFERENT = "different"
    """Something differs, whether or not a person has decided about it."""


class Source(StrEnum):
    """Where a bill came from. Only what the gateway gave us itself is proven to be its bill."""

    GATEWAY = "gateway"
    FILE = "file"


class DifferenceKind(StrEnum):
    """In what a line and our books differ."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT = "amount"
    STATE = "state"


class BillRun(Base):
    """A day in Beijing of one merchant. Amounts in fen: theirs as the bill says, ours when last compared.

    `planned_at` is when the worker took the day up, None when only a command did. `sha1` is of the bill's text; a day without any bill has none, and `imported_at` all the same.
    """

    __tablename__ = "bill_runs"
    __table_args__ = (
        one_of("state", RunState),
        sa.CheckConstraint("source IS NULL OR source IN ('gateway', 'file')", name="source"),
        sa.UniqueConstraint("gateway", "mchid", "bill_date"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    gateway: Mapped[str] = mapped_column(identifier(16))
    mchid: Mapped[str] = mapped_column(identifier(32))
    bill_date: Mapped[date] = mapped_column(sa.Date)
    state: Mapped[str] = mapped_column(sa.String(16))
    source: Mapped[str | None] = mapped_column(sa.String(8))
    sha1: Mapped[str | None] = mapped_column(identifier(40))
    line_count: Mapped[int] = mapped_column(sa.Integer, default=0)
    their_paid_fen: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    their_refunded_fen: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    our_paid_fen: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    our_refunded_fen: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    last_error: Mapped[str | None] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    imported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    compared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BillPart(Base):
    """A piece of the bill's file as it came, so that any machine can show the original."""

    __tablename__ = "bill_parts"
    __table_args__ = (sa.UniqueConstraint("run_id", "number"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("bill_runs.id"))
    number: Mapped[int] = mapped_column(sa.Integer)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql"))


class ImportedLine(Base):
    """A line of a bill as it was imported; `number` is its place in the file, `line_key` its number at the gateway."""

    __tablename__ = "bill_lines"
    __table_args__ = (
        one_of("kind", BillKind),
        one_of("state", BillState),
        sa.UniqueConstraint("gateway", "mchid", "kind", "line_key", "bill_date"),
        sa.Index("ix_bill_lines_run_id_number", "run_id", "number"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("bill_runs.id"))
    gateway: Mapped[str] = mapped_column(identifier(16))
    mchid: Mapped[str] = mapped_column(identifier(32))
    bill_date: Mapped[date] = mapped_column(sa.Date)
    kind: Mapped[str] = mapped_column(sa.String(16))
    line_key: Mapped[str] = mapped_column(identifier(64))
    number: Mapped[int] = mapped_column(sa.Integer)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    appid: Mapped[str] = mapped_column(identifier(64))
    transaction_id: Mapped[str] = mapped_column(identifier(64))
    out_trade_no: Mapped[str] = mapped_column(identifier(64))
    trade_type: Mapped[str] = mapped_column(identifier(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    currency: Mapped[str] = mapped_column(sa.String(3))
    amount_fen: Mapped[int] = mapped_column(sa.BigInteger)
    refund_id: Mapped[str | None] = mapped_column(identifier(64))
    out_refund_no: Mapped[str | None] = mapped_column(identifier(64))


class BillDifference(Base):
    """A line without its counterpart here, something of ours without its line, or the two disagreeing.

    `subject_key` is the gateway's number of the payment or refund; `resolved_at` says since when
    it is no difference any more.
    """

    __tablename__ = "bill_differences"
    __table_args__ = (
        one_of("kind", DifferenceKind),
        one_of("subject", BillKind),
        sa.UniqueConstraint("run_id", "subject", "subject_key", "kind"),
        sa.Index("ix_bill_differences_kind_resolved_at", "kind", "resolved_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("bill_runs.id"))
    kind: Mapped[str] = mapped_column(sa.String(16))
    subject: Mapped[str] = mapped_column(sa.String(16))
    subject_key: Mapped[str] = mapped_column(identifier(64))
    line_id: Mapped[int | None] = mapped_column(sa.ForeignKey("bill_lines.id"))
    payment_id: Mapped[int | None] = mapped_column(sa.ForeignKey("payments.id"))
    theirs_fen: Mapped[int | None] = mapped_column(sa.BigInteger)
    ours_fen: Mapped[int | None] = mapped_column(sa.BigInteger)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
