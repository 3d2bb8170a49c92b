"""The table of ledger entries."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier


class LedgerEntry(Base):
    """One transfer between two accounts. A source posts each kind of entry once."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount_positive"),
        sa.CheckConstraint("debit_account <> credit_account", name="two_accounts"),
        sa.UniqueConstraint("source_type", "source_id", "kind"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    source_type: Mapped[str] = mapped_column(identifier(16))
    source_id: Mapped[int] = mapped_column(sa.BigInteger)
    kind: Mapped[str] = mapped_column(identifier(32))
    debit_account: Mapped[str] = mapped_column(identifier(64))
    credit_account: Mapped[str] = mapped_column(identifier(64))
    amount_fen: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    order_id: Mapped[int | None] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
