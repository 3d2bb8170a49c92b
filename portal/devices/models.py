"""Tables of editors: DeviceGrant, TokenFamily and Token."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit import clock
from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of

LONGEST_NAME = 80


class Scope(StrEnum):
    """What an editor may be allowed to do."""

    CATALOG = "catalog"
    PURCHASE = "purchase"
    LICENSES = "licenses"


def scopes_in(text: str) -> frozenset[str]:
    """Return the scopes of a stored list; blanks part them (RFC 6749, section 3.3)."""
    return frozenset(text.split())


class GrantState(StrEnum):
    """What became of a code. One whose time is over is expired whatever its state, unless it was used."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    USED = "used"


class TokenKind(StrEnum):
    """What a token is for."""

    ACCESS = "access"
    REFRESH = "refresh"


class DeviceGrant(Base):
    """An editor's wish to be connected. `device_name` is what the editor calls itself, and proves nothing.

    `interval_seconds` is how long the editor has to wait between two questions; it grows when it does not.
    """

    __tablename__ = "device_grants"
    __table_args__ = (one_of("state", GrantState),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    device_code_hash: Mapped[str] = mapped_column(identifier(64), unique=True)
    user_code_hash: Mapped[str] = mapped_column(identifier(64), unique=True)
    client_id: Mapped[str] = mapped_column(identifier(64))
    scope: Mapped[str] = mapped_column(identifier(64))
    device_name: Mapped[str] = mapped_column(sa.String(LONGEST_NAME))
    address: Mapped[str] = mapped_column(sa.String(45))
    state: Mapped[str] = mapped_column(sa.String(8), default=GrantState.PENDING.value)
    learner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    interval_seconds: Mapped[int] = mapped_column(sa.Integer)
    last_polled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_expired(self) -> bool:
        """Tell whether its time is over."""
        return self.expires_at <= clock.now()

    @property
    def scopes(self) -> frozenset[str]:
        """What the editor asks to be allowed."""
        return scopes_in(self.scope)


class TokenFamily(Base):
    """An editor that a learner connected, with all tokens it ever gets. `created_at` is when it was allowed."""

    __tablename__ = "token_families"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    learner_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    client_id: Mapped[str] = mapped_column(identifier(64))
    scope: Mapped[str] = mapped_column(identifier(64))
    name: Mapped[str] = mapped_column(sa.String(LONGEST_NAME))
    address: Mapped[str] = mapped_column(sa.String(45))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def scopes(self) -> frozenset[str]:
        """What the editor may do."""
        return scopes_in(self.scope)


class Token(Base):
    """A bearer token's hash. `rotated_at`: this refresh token has been exchanged for the next one."""

    __tablename__ = "tokens"
    __table_args__ = (one_of("kind", TokenKind),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    token_hash: Mapped[str] = mapped_column(identifier(64), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(8))
    family_id: Mapped[int] = mapped_column(sa.ForeignKey("token_families.id"), index=True)
    scope: Mapped[str] = mapped_column(identifier(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
