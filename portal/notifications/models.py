"""The table of notifications."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, LongText, RowId, UtcDateTime, identifier, one_of
from portal.payments.models import Verdict


class Notification(Base):
    """A verified message of a gateway, its body as it came (the resource in it stays encrypted)."""

    __tablename__ = "notifications"
    __table_args__ = (one_of("verdict", Verdict), sa.UniqueConstraint("gateway", "event_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    gateway: Mapped[str] = mapped_column(identifier(16))
    event_id: Mapped[str] = mapped_column(identifier(64))
    event_type: Mapped[str] = mapped_column(sa.String(32))
    out_trade_no: Mapped[str | None] = mapped_column(identifier(64), index=True)
    body: Mapped[str] = mapped_column(LongText)
    verdict: Mapped[str] = mapped_column(sa.String(16))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
