"""The table of refunds."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of


class RefundStatus(StrEnum):
    """Where a refund stands."""

    REQUESTED = "requested"
    """Somebody has to approve or refuse it."""
    APPROVED = "approved"
    """To be sent to the gateway, or sent without a believable answer so far."""
    PROCESSING = "processing"
    """The gateway has accepted it; accepted is not refunded."""
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    """The money could not reach the payer's account; a person handles it at the gateway, same number."""
    CLOSED = "closed"
    """It will never happen under this number; `held_fen` tells whether it is decided what follows."""
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Origin(StrEnum):
    """Who began a refund."""

    LEARNER = "learner"
    STAFF = "staff"
    CONSOLE = "console"
    """Made at the gateway, not by us; found by notification, query or bill."""


class LicenseEffect(StrEnum):
    """What becomes of the license when the money is back."""

    REVOKE = "revoke"
    KEEP = "keep"


class Refund(Base):
    """One refund of one payment. Amounts in fen of `currency`.

    `held_fen` is the part of `payments.reserved_fen` that is this refund's: its amount while it may happen or
    has happened, 0 once it is given up. `request` is what is sent to the gateway, the same on
    every repeat; a refund found at the gateway has none. `requested_by`, `endorsed_by` and `approved_by`
    are actors as in the audit; one within the limits of one person has no `approved_by`.
    `approval_digest` is of what was approved. `request_key` makes a form sent twice one refund.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        one_of("status", RefundStatus),
        one_of("origin", Origin),
        one_of("license_effect", LicenseEffect),
        sa.CheckConstraint("amount_fen > 0", name="amount_positive"),
        sa.CheckConstraint("held_fen >= 0 AND held_fen <= amount_fen", name="held"),
        sa.CheckConstraint("approved_by IS NULL OR approved_by <> requested_by", name="two_persons"),
        sa.CheckConstraint(
            "(status = 'succeeded') = (succeeded_at IS NOT NULL)", name="succeeded_at_a_moment"
        ),
        sa.CheckConstraint(
            "status <> 'succeeded' OR (refund_id IS NOT NULL AND held_fen = amount_fen)",
            name="succeeded_is_counted",
        ),
        sa.UniqueConstraint("gateway", "out_refund_no"),
        sa.UniqueConstraint("gateway", "mchid", "refund_id"),
        sa.Index("ix_refunds_status_id", "status", "id"),
        sa.Index("ix_refunds_requested_by_created_at", "requested_by", "created_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    payment_id: Mapped[int] = mapped_column(sa.ForeignKey("payments.id"), index=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    gateway: Mapped[str] = mapped_column(identifier(16))
    mchid: Mapped[str] = mapped_column(identifier(32))
    mode: Mapped[str] = mapped_column(sa.String(4))
    out_refund_no: Mapped[str] = mapped_column(identifier(64))
    refund_id: Mapped[str | None] = mapped_column(identifier(32))
    amount_fen: Mapped[int] = mapped_column(sa.BigInteger)
    held_fen: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    reason: Mapped[str] = mapped_column(sa.String(200))
    origin: Mapped[str] = mapped_column(sa.String(8))
    status: Mapped[str] = mapped_column(sa.String(16))
    license_effect: Mapped[str] = mapped_column(sa.String(8))
    request: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    request_key: Mapped[str | None] = mapped_column(identifier(64), unique=True)
    requested_by: Mapped[str] = mapped_column(identifier(64))
    endorsed_by: Mapped[str | None] = mapped_column(identifier(64))
    approved_by: Mapped[str | None] = mapped_column(identifier(64))
    approval_digest: Mapped[str | None] = mapped_column(identifier(64))
    decision_note: Mapped[str | None] = mapped_column(sa.String(200))
    account: Mapped[str | None] = mapped_column(sa.String(64))
    failure_code: Mapped[str | None] = mapped_column(identifier(64))
    verified_by: Mapped[str | None] = mapped_column(sa.String(8))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    called_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    succeeded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
