"""Tables of staff: SecondFactor, UsedCode, RecoveryCode, CourseInstructor and RoleRequest."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of
from portal.learners.models import Role


class SecondFactor(Base):
    """The phone of a member of staff. `sealed_seed` is in use; `pending_seed` waits for its first code.

    A pending seed is good in the one session it was shown in (`pending_for`, its public id): who knew the
    password before must not have seen the seed that another takes into use.
    """

    __tablename__ = "second_factors"

    learner_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("learners.id"), primary_key=True, autoincrement=False
    )
    sealed_seed: Mapped[str | None] = mapped_column(identifier(120))
    pending_seed: Mapped[str | None] = mapped_column(identifier(120))
    pending_for: Mapped[str | None] = mapped_column(identifier(32))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UsedCode(Base):
    """A code that was accepted: each works once."""

    __tablename__ = "used_codes"

    learner_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("learners.id"), primary_key=True, autoincrement=False
    )
    step: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)


class RecoveryCode(Base):
    """One of the ten codes for a lost phone; only its hash is kept, and it works once."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    learner_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    code_hash: Mapped[str] = mapped_column(identifier(64), unique=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CourseInstructor(Base):
    """That somebody teaches a course: what an instructor may see ends there."""

    __tablename__ = "course_instructors"

    learner_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("learners.id"), primary_key=True, autoincrement=False
    )
    course_id: Mapped[str] = mapped_column(sa.ForeignKey("products.id"), primary_key=True)


class RoleRequestStatus(StrEnum):
    """How far a request for a role is."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"


class RoleRequest(Base):
    """That somebody shall have a role which two persons give. `open_key` is the learner's id while it is open."""

    __tablename__ = "role_requests"
    __table_args__ = (
        one_of("role_before", Role),
        one_of("role_after", Role),
        one_of("status", RoleRequestStatus),
        sa.CheckConstraint(
            "status <> 'approved' OR (decided_by <> requested_by AND decided_by <> learner_id)",
            name="two_persons",
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    learner_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"), index=True)
    open_key: Mapped[int | None] = mapped_column(sa.BigInteger, unique=True)
    role_before: Mapped[str] = mapped_column(sa.String(16))
    role_after: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str] = mapped_column(sa.String(500))
    status: Mapped[str] = mapped_column(sa.String(16))
    requested_by: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[int | None] = mapped_column(sa.ForeignKey("learners.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
