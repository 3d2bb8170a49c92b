"""Tables of rights and their proofs: Entitlement and License."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit import clock
from portal.kit.db import Base, LongText, RowId, UtcDateTime, identifier, one_of


class EntitlementStatus(StrEnum):
    """Whether the right holds. An end in time is `expires_at`; EXPIRED marks one replaced after its end."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class LicenseStatus(StrEnum):
    """Whether the text is good. One reissued is SUPERSEDED."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"


class Entitlement(Base):
    """A learner may use a course until `expires_at`.

    `active_key` (learner and course) is set while ACTIVE, so that a learner owns a course once (I2). It
    stands on a payment or on a recorded grant, never on both and never on neither (I3).
    """

    __tablename__ = "entitlements"
    __table_args__ = (
        one_of("status", EntitlementStatus),
        sa.CheckConstraint("(status = 'active') = (active_key IS NOT NULL)", name="active_key"),
        sa.CheckConstraint("(payment_id IS NULL) <> (grant_reason IS NULL)", name="one_ground"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    learner_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    course_id: Mapped[str] = mapped_column(sa.ForeignKey("products.id"), index=True)
    order_id: Mapped[int | None] = mapped_column(sa.ForeignKey("orders.id"), unique=True)
    payment_id: Mapped[int | None] = mapped_column(sa.ForeignKey("payments.id"), unique=True)
    grant_reason: Mapped[str | None] = mapped_column(sa.String(200))
    status: Mapped[str] = mapped_column(sa.String(16))
    active_key: Mapped[str | None] = mapped_column(identifier(96), unique=True)
    max_downloads: Mapped[int] = mapped_column(sa.Integer)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class License(Base):
    """The signed text of an entitlement; `id` is in the text. One is ACTIVE per entitlement."""

    __tablename__ = "licenses"
    __table_args__ = (
        one_of("status", LicenseStatus),
        sa.CheckConstraint("(status = 'active') = (active_key IS NOT NULL)", name="active_key"),
        sa.UniqueConstraint("entitlement_id", "revision"),
        # The lists of the admin's desk, the newest right first.
        sa.Index("ix_licenses_status_entitlement_id", "status", "entitlement_id", "revision"),
        sa.Index("ix_licenses_course_id_entitlement_id", "course_id", "entitlement_id", "revision"),
    )

    id: Mapped[str] = mapped_column(identifier(36), primary_key=True)
    entitlement_id: Mapped[int] = mapped_column(sa.ForeignKey("entitlements.id"))
    revision: Mapped[int] = mapped_column(sa.Integer)
    active_key: Mapped[int | None] = mapped_column(sa.BigInteger, unique=True)
    learner_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    course_id: Mapped[str] = mapped_column(identifier(64))
    kid: Mapped[str] = mapped_column(identifier(64), index=True)
    text: Mapped[str] = mapped_column(LongText)
    digest: Mapped[str] = mapped_column(identifier(64), unique=True)
    status: Mapped[str] = mapped_column(sa.String(16))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_reason: Mapped[str | None] = mapped_column(sa.String(200))

    @property
    def is_expired(self) -> bool:
        """Tell whether the license's time is over."""
        return clock.now() >= self.expires_at
