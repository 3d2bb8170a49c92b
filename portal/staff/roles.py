"""Roles given and taken, accounts closed and opened: with a reason, in the audit, and all sessions end.

A role that moves money or makes others staff (finance, admin) is asked for by one admin and approved by
another, neither of whom gets it. The first admin is made on the host's command line.
"""

import sqlalchemy as sa

from portal.audit import services as audit
from portal.catalogue.models import Course
from portal.devices.tokens import end_editors
from portal.kit import clock, ids
from portal.kit.db import changed_one, db, transactional
from portal.kit.errors import Conflict, Invalid, NotFound, PortalError
from portal.learners.models import Learner, Role
from portal.learners.sessions import actor, end_other_sessions
from portal.staff.models import CourseInstructor, RoleRequest, RoleRequestStatus
from portal.staff.second_factor import staff_actor

NEEDS_TWO = frozenset({Role.FINANCE, Role.ADMIN})


class OwnAccount(PortalError):
    """Nobody changes their own role, closes their own account, or decides about what they asked for."""

    status = 403
    code = "own_account"


class ChangedMeanwhile(Conflict):
    """The account is not as it was when the page was opened, or the request was made."""

    code = "changed_meanwhile"


class LastAdmin(Conflict):
    """Somebody must be left who can manage accounts."""

    code = "last_admin"


def change_role(learner: Learner, role: Role, changed_by: Learner, reason: str) -> RoleRequest | None:
    """Give a person a role; one that needs two persons is only asked for, and the request returned.

    Raises:
        OwnAccount, LastAdmin.
        ChangedMeanwhile: the person has the role, or a request for them is open.
    """
    if learner.id == changed_by.id:
        raise OwnAccount
    if role in NEEDS_TWO:
        return _request(learner, role, changed_by, reason)
    set_role(learner, role, staff_actor(changed_by), reason)
    return None


@transactional
def set_role(learner: Learner, role: Role, changed_by: str, reason: str) -> None:
    """Give a person a role at once: for one that needs no second person, and for the host's command line.

    Raises:
        LastAdmin: they are the only admin left.
        ChangedMeanwhile: they have the role, or another was given meanwhile.
    """
    before = learner.role
    if before == role:
        raise ChangedMeanwhile
    if before == Role.ADMIN:
        _check_another_admin(learner)
    changed = db.session.execute(
        sa.update(Learner)
        .where(Learner.id == learner.id, Learner.role == before)
        .values(role=role.value)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(changed):
        raise ChangedMeanwhile
    learner.role = role.value
    if role != Role.INSTRUCTOR:
        db.session.execute(sa.delete(CourseInstructor).where(CourseInstructor.learner_id == learner.id))
    end_other_sessions(learner, None, changed_by)
    audit.record(
        "learner.role_changed", actor(learner), changed_by, before=before, after=role.value, reason=reason
    )


def _check_another_admin(learner: Learner) -> None:
    # Locked, so that two admins cannot end each other at one moment.
    others = db.session.scalars(
        sa.select(Learner.id)
        .where(Learner.role == Role.ADMIN.value, Learner.disabled_at.is_(None))
        .with_for_update()
    )
    if not set(others) - {learner.id}:
        raise LastAdmin


@transactional
def _request(learner: Learner, role: Role, requested_by: Learner, reason: str) -> RoleRequest:
    if learner.role == role or open_request_of(learner) is not None:
        raise ChangedMeanwhile
    request = RoleRequest(
        public_id=ids.new_public_id(),
        learner_id=learner.id,
        open_key=learner.id,
        role_before=learner.role,
        role_after=role.value,
        reason=reason,
        status=RoleRequestStatus.REQUESTED.value,
        requested_by=requested_by.id,
        requested_at=clock.now(),
    )
    db.session.add(request)
    audit.record(
        "learner.role_requested",
        actor(learner),
        staff_actor(requested_by),
        before=learner.role,
        after=role.value,
        reason=reason,
    )
    return request


def open_request_of(learner: Learner) -> RoleRequest | None:
    """Return the request for a role of this person that nobody has decided yet."""
    return db.session.scalar(
        sa.select(RoleRequest)
        .where(RoleRequest.open_key == learner.id)
        .execution_options(populate_existing=True)
    )


@transactional
def decide_request(
    learner: Learner, public_id: str, approves: bool, decided_by: Learner, reason: str
) -> None:
    """Approve or refuse the open request of a person. Who asked may only take it back.

    Raises:
        NotFound: there is no such request of this person.
        OwnAccount: it is one's own request, or about oneself.
        ChangedMeanwhile: it is decided, or the person's role is another now.
    """
    request = db.session.scalar(
        sa.select(RoleRequest)
        .where(RoleRequest.public_id == public_id, RoleRequest.learner_id == learner.id)
        .execution_options(populate_existing=True)
    )
    if request is None:
        raise NotFound
    if decided_by.id == learner.id or (approves and request.requested_by == decided_by.id):
        raise OwnAccount
    if approves and learner.role != request.role_before:
        raise ChangedMeanwhile
    status = RoleRequestStatus.APPROVED if approves else RoleRequestStatus.REFUSED
    decided = db.session.execute(
        sa.update(RoleRequest)
        .where(RoleRequest.id == request.id, RoleRequest.status == RoleRequestStatus.REQUESTED.value)
        .values(status=status.value, open_key=None, decided_by=decided_by.id, decided_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    if not changed_one(decided):
        raise ChangedMeanwhile
    if approves:
        set_role(learner, Role(request.role_after), staff_actor(decided_by), reason)
    else:
        audit.record(
            "learner.role_refused",
            actor(learner),
            staff_actor(decided_by),
            after=request.role_after,
            reason=reason,
        )


@transactional
def disable(learner: Learner, disabled_by: str, reason: str) -> None:
    """Close an account: its sessions and editors end, and stay ended when it is opened again.

    Raises:
        LastAdmin.
        ChangedMeanwhile: it is closed already.
    """
    if learner.role == Role.ADMIN:
        _check_another_admin(learner)
    _set_disabled(learner, is_disabled=True)
    end_other_sessions(learner, None, disabled_by)
    end_editors(learner, disabled_by, "account_closed")
    audit.record("learner.disabled", actor(learner), disabled_by, reason=reason)


@transactional
def enable(learner: Learner, enabled_by: str, reason: str) -> None:
    """Open a closed account again.

    Raises:
        ChangedMeanwhile: it is not closed.
    """
    _set_disabled(learner, is_disabled=False)
    audit.record("learner.enabled", actor(learner), enabled_by, reason=reason)


def _set_disabled(learner: Learner, *, is_disabled: bool) -> None:
    is_as_expected = Learner.disabled_at.is_(None) if is_disabled else Learner.disabled_at.is_not(None)
    changed = db.session.execute(
        sa.update(Learner)
        .where(Learner.id == learner.id, is_as_expected)
        .values(disabled_at=clock.now() if is_disabled else None)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(changed):
        raise ChangedMeanwhile


@transactional
def end_sessions(learner: Learner, ended_by: str, reason: str) -> int:
    """End all sessions and editors of a person, and return how many sessions there were."""
    count = end_other_sessions(learner, None, ended_by)
    end_editors(learner, ended_by, "signed_out")
    audit.record("learner.signed_out", actor(learner), ended_by, count=count, reason=reason)
    return count


@transactional
def set_courses(learner: Learner, course_ids: list[str], changed_by: str, reason: str) -> None:
    """Say which courses an instructor teaches.

    Raises:
        ChangedMeanwhile: the person is no instructor.
        Invalid: one of the courses does not exist.
    """
    if learner.role != Role.INSTRUCTOR:
        raise ChangedMeanwhile
    wanted = sorted(set(course_ids))
    known = set(db.session.scalars(sa.select(Course.id).where(Course.id.in_(wanted))))
    if set(wanted) - known:
        raise Invalid("course_ids")
    mine = sa.select(CourseInstructor.course_id).where(CourseInstructor.learner_id == learner.id)
    before = sorted(db.session.scalars(mine))
    db.session.execute(sa.delete(CourseInstructor).where(CourseInstructor.learner_id == learner.id))
    for course_id in wanted:
        db.session.add(CourseInstructor(learner_id=learner.id, course_id=course_id))
    audit.record(
        "learner.courses_changed", actor(learner), changed_by, before=before, after=wanted, reason=reason
    )
