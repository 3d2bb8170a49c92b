"""The table of payments: attempts at a gateway."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, LongText, RowId, UtcDateTime, identifier, one_of


class PaymentStatus(StrEnum):
    """Where an attempt stands."""

    CREATED = "created"
    """On record; what the gateway knows of it is not known yet."""
    OPEN = "open"
    """The gateway gave a `code_url`."""
    PAID = "paid"
    CLOSED = "closed"
    """Verified as never to be paid."""
    REJECTED = "rejected"
    """The gateway refused to open it."""


class VerifiedBy(StrEnum):
    """What proved a payment."""

    NOTIFY = "notify"
    QUERY = "query"
    BILL = "bill"
    PERSON = "person"
    """Somebody of the staff saw a transfer arrive."""


class TransferStatus(StrEnum):
    """Where a payment by transfer stands, of which only people know."""

    WAITING = "waiting"
    TOLD = "told"
    """The learner says that it was made."""
    CHECKED = "checked"
    """Somebody saw the money; another person has to agree."""
    CONFIRMED = "confirmed"
    MISMATCH = "mismatch"
    """Another amount came than the order's."""
    REFUSED = "refused"


class Verdict(StrEnum):
    """What became of a gateway's news."""

    SETTLED = "settled"
    DUPLICATE = "duplicate"
    CASE = "case"
    IGNORED = "ignored"


class Payment(Base):
    """One attempt. `open_key` (the order's id) keeps an order to one open attempt.

    `request` is what was sent to the gateway, byte for byte on every repeat; `qr_svg` is drawn once from
    `code_url`. `call_until` is the lease of whoever is ordering at the gateway, and
    `queried_at` paces questions to it. `reserved_fen` is what refunds hold, `refunded_fen` what went back.
    """

    __tablename__ = "payments"
    __table_args__ = (
        one_of("status", PaymentStatus),
        sa.CheckConstraint("amount_fen > 0", name="amount_positive"),
        sa.CheckConstraint(
            "verified_by IS NULL OR verified_by IN ('notify', 'query', 'bill', 'person')", name="verified_by"
        ),
        sa.CheckConstraint(
            "(status = 'paid') = (transaction_id IS NOT NULL AND verified_by IS NOT NULL)",
            name="paid_is_verified",
        ),
        sa.CheckConstraint(
            "0 <= refunded_fen AND refunded_fen <= reserved_fen AND reserved_fen <= amount_fen",
            name="refunds",
        ),
        sa.UniqueConstraint("gateway", "mchid", "transaction_id"),
        sa.Index("ix_payments_order_id_id", "order_id", "id"),
        sa.Index("ix_payments_paid_at", "paid_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"))
    gateway: Mapped[str] = mapped_column(identifier(16))
    mode: Mapped[str] = mapped_column(sa.String(4))
    mchid: Mapped[str] = mapped_column(identifier(32))
    appid: Mapped[str] = mapped_column(identifier(32))
    out_trade_no: Mapped[str] = mapped_column(identifier(32), unique=True)
    amount_fen: Mapped[int] = mapped_column(sa.BigInteger)
    reserved_fen: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default=sa.text("0"))
    refunded_fen: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default=sa.text("0"))
    currency: Mapped[str] = mapped_column(sa.String(3))
    request: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    status: Mapped[str] = mapped_column(sa.String(16))
    open_key: Mapped[int | None] = mapped_column(sa.BigInteger, unique=True)
    code_url: Mapped[str | None] = mapped_column(identifier(512))
    code_url_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    qr_svg: Mapped[str | None] = mapped_column(LongText)
    failure_code: Mapped[str | None] = mapped_column(identifier(64))
    transaction_id: Mapped[str | None] = mapped_column(identifier(64), index=True)
    payer_hash: Mapped[str | None] = mapped_column(identifier(64))
    verified_by: Mapped[str | None] = mapped_column(sa.String(8))
    call_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    queried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TransferNumber(Base):
    """A number that staff entered as a transfer's, and whose money thereby stands for one payment and no other.

    It stays when another number is entered beside it, and goes only when what was entered is taken back.
    """

    __tablename__ = "transfer_numbers"

    number: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    payment_id: Mapped[int] = mapped_column(sa.ForeignKey("payments.id"), index=True)
