"""The table of transfers: what people say of a payment that no gateway knows."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of
from portal.payments.models import TransferStatus


class Transfer(Base):
    """The people's side of one attempt. `told_…` is the learner's word; the rest is what staff saw.

    `reference` is typed beside the transfer. `number` is what WeChat calls the transfer in the receiver's own
    bill (`TransferNumber` keeps one transfer to one order), `amount_fen` is what came.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        one_of("status", TransferStatus),
        sa.CheckConstraint("approved_by IS NULL OR approved_by <> checked_by", name="two_persons"),
        sa.CheckConstraint(
            "status NOT IN ('checked', 'confirmed', 'mismatch') OR "
            "(amount_fen > 0 AND number IS NOT NULL AND checked_by IS NOT NULL)",
            name="evidence",
        ),
        sa.Index("ix_transfers_status_id", "status", "id"),
        sa.Index("ix_transfers_course_id_id", "course_id", "id"),
        sa.Index("ix_transfers_course_id_status_id", "course_id", "status", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    payment_id: Mapped[int] = mapped_column(sa.ForeignKey("payments.id"), unique=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    course_id: Mapped[str] = mapped_column(sa.ForeignKey("products.id"))
    reference: Mapped[str] = mapped_column(identifier(16), unique=True)
    status: Mapped[str] = mapped_column(sa.String(16))
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    told_number: Mapped[str | None] = mapped_column(sa.String(64))
    told_picture_id: Mapped[int | None] = mapped_column(sa.ForeignKey("pictures.id"))
    amount_fen: Mapped[int | None] = mapped_column(sa.BigInteger)
    number: Mapped[str | None] = mapped_column(identifier(64))
    picture_id: Mapped[int | None] = mapped_column(sa.ForeignKey("pictures.id"))
    checked_by: Mapped[int | None] = mapped_column(sa.ForeignKey("learners.id"))
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[int | None] = mapped_column(sa.ForeignKey("learners.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refusal: Mapped[str | None] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
