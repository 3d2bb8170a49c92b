"""Tables of people: Learner, LoginSession, PasswordReset and SignInThrottle."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of


class Role(StrEnum):
    """What a person may do; everything beyond a learner's own things is for staff."""

    LEARNER = "learner"
    INSTRUCTOR = "instructor"
    SUPPORT = "support"
    FINANCE = "finance"
    ADMIN = "admin"


STAFF = frozenset(Role) - {Role.LEARNER}


class Locale(StrEnum):
    """The languages of the portal."""

    ZH = "zh_Hans_CN"
    EN = "en"


def buyer_tag(public_id: str) -> str:
    """Return the short mark of the buyer with this public id."""
    return public_id[:4].upper()


class Learner(Base):
    """Anyone with an account. Outside the portal they are known by `public_id` only.

    Whatever acts for the learner without a session (an editor's tokens) and was allowed before
    `password_changed_at` is void.
    """

    __tablename__ = "learners"
    __table_args__ = (one_of("role", Role), one_of("locale", Locale))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    email: Mapped[str] = mapped_column(identifier(254), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(200))
    role: Mapped[str] = mapped_column(sa.String(16), default=Role.LEARNER.value, index=True)
    locale: Mapped[str] = mapped_column(sa.String(16), default=Locale.ZH.value)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    password_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def tag(self) -> str:
        """A short mark of the buyer, on our page and in WeChat, that gives a swapped QR code away."""
        return buyer_tag(self.public_id)


class LoginSession(Base):
    """A browser that is signed in. `expires_at` is the absolute end; idleness ends it sooner.

    `second_factor_at` is when the latest code of the second factor was entered in it; None: never.
    """

    __tablename__ = "login_sessions"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    token_hash: Mapped[str] = mapped_column(identifier(64), unique=True)
    learner_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    user_agent: Mapped[str] = mapped_column(sa.String(255))
    address: Mapped[str] = mapped_column(sa.String(45))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    second_factor_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PasswordReset(Base):
    """A link for a new password: single use, 30 minutes, only its hash is kept.

    The secret in the link is drawn when the mail is written, so that no row or job ever holds it; until
    then `token_hash` is empty.
    """

    __tablename__ = "password_resets"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    token_hash: Mapped[str | None] = mapped_column(identifier(64), unique=True)
    learner_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SignInThrottle(Base):
    """Tries of one address, whether or not it has an account. `key_hash` hides the address and the purpose.

    A try is counted before the password is looked at, and forgotten when it was right: a hundred guesses
    at once are a hundred failures.
    """

    __tablename__ = "sign_in_throttles"

    key_hash: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    failures: Mapped[int] = mapped_column(sa.Integer)
    first_failure_at: Mapped[datetime] = mapped_column(UtcDateTime)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
