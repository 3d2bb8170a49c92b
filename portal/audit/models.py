"""The table of audit rows."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, LongText, RowId, UtcDateTime, identifier


class AuditRow(Base):
    """One act. `seq`, `prev_hash` and `hash` are empty until the row is sealed."""

    __tablename__ = "audit_rows"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(identifier(64))
    action: Mapped[str] = mapped_column(identifier(48))
    subject: Mapped[str] = mapped_column(identifier(96), index=True)
    facts: Mapped[str] = mapped_column(LongText)
    seq: Mapped[int | None] = mapped_column(sa.BigInteger, unique=True)
    prev_hash: Mapped[str | None] = mapped_column(identifier(64), unique=True)
    hash: Mapped[str | None] = mapped_column(identifier(64))
