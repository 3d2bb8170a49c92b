"""Tables of the audit: AuditRow and AuditHead."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, LongText, RowId, UtcDateTime, identifier


class AuditRow(Base):
    """One act. `seq`, `prev_hash` and `hash` are empty until the row is sealed.

    `address` and `session` (its public id) say where an act in a browser came from. The database itself
    refuses to change or delete a row: triggers let nothing pass but the sealing.
    """

    __tablename__ = "audit_rows"
    __table_args__ = (
        sa.Index("ix_audit_rows_actor_at", "actor", "at"),
        sa.Index("ix_audit_rows_action_at", "action", "at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(identifier(64))
    action: Mapped[str] = mapped_column(identifier(48))
    subject: Mapped[str] = mapped_column(identifier(96), index=True)
    facts: Mapped[str] = mapped_column(LongText)
    address: Mapped[str | None] = mapped_column(identifier(45))
    session: Mapped[str | None] = mapped_column(identifier(32))
    seq: Mapped[int | None] = mapped_column(sa.BigInteger, unique=True)
    prev_hash: Mapped[str | None] = mapped_column(identifier(64), unique=True)
    hash: Mapped[str | None] = mapped_column(identifier(64))


class AuditHead(Base):
    """The end of the chain on a day (in Beijing), signed with a license key: rows cut off later are missed.

    `signature` is base64 of an RSA PKCS#1 v1.5 SHA-256 signature by the key `kid`.
    """

    __tablename__ = "audit_heads"

    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[str] = mapped_column(identifier(64))
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kid: Mapped[str] = mapped_column(identifier(64))
    signature: Mapped[str] = mapped_column(sa.String(1400))
