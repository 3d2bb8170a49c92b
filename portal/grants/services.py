"""Ask for a grant, approve, refuse and withdraw it; what is approved is carried out in the same transaction."""

import re
from typing import Any

import sqlalchemy as sa

from portal.approvals.services import ChangedSinceAsked, check_approver, digest_of, may_act_alone
from portal.audit import services as audit
from portal.batches.models import Batch
from portal.batches.services import begin_batch
from portal.catalogue.models import Course
from portal.catalogue.queries import course_of
from portal.grants.errors import BadDays, BadReference, NotWaiting, ReferenceKnown, ReferenceUsed
from portal.grants.lists import read_list, worth_of
from portal.grants.models import Grant, GrantKind, GrantStatus
from portal.kit import clock, ids
from portal.kit.db import changed_one, db, transactional
from portal.kit.errors import NotFound
from portal.learners.models import Learner
from portal.learners.sessions import actor
from portal.licenses.models import License, LicenseStatus
from portal.licenses.queries import any_license, held_license
from portal.licenses.services import AlreadyOwned
from portal.payments.numbers import order_of_number, plain_number
from portal.payments.rights import NotActive, checked_reason, grant_course, replace_license
from portal.tools import Tools

BULK = "bulk_grant"
_DAYS = range(1, 3661)
_REFERENCE = re.compile(r"[0-9A-Za-z_-]{6,64}", re.ASCII)


def checked_days(days: int) -> int:
    """Return `days`.

    Raises:
        BadDays: they are not 1 to 3660.
    """
    if days not in _DAYS:
        raise BadDays
    return days


@transactional
def ask_course(
    person: Learner,
    learner: Learner,
    course_id: str,
    reason: str,
    tools: Tools,
    days: int | None = None,
    reference: str | None = None,
) -> str:
    """Ask that a learner be given a course; carried out at once where one person is enough.

    Args:
        days: how long it lasts; as the course says, when left out.
        reference: the number of a transaction outside the portal that it stands on.

    Returns the grant's public id.

    Raises:
        NotFound: there is no such course.
        OwnRequest: nobody gives to themselves.
        AlreadyOwned, BadReason, BadDays, BadReference, ReferenceKnown, ReferenceUsed: nothing was recorded.
        NoSigningKey: no key can sign now; nothing was recorded.
    """
    course = course_of(course_id)
    lasts = checked_days(days or course.license_days)
    owned, license_id = held_license(learner.id, course.id)
    if owned:
        raise AlreadyOwned(license_id=license_id)
    grant = _grant(
        person,
        GrantKind.COURSE,
        checked_reason(reason),
        worth_of(course, lasts),
        learner_id=learner.id,
        course_id=course.id,
        days=lasts,
        reference=_checked_reference(reference),
    )
    return _ask(grant, person, tools)


@transactional
def ask_extension(person: Learner, license_id: str, days: int, reason: str, tools: Tools) -> str:
    """Ask that a license last `days` longer; carried out at once where one person is enough.

    Returns the grant's public id.

    Raises:
        NotFound: there is no such license.
        NotActive: it has ended, or was replaced.
        OwnRequest: nobody gives to themselves.
        BadReason, BadDays: nothing was recorded.
        NoSigningKey: no key can sign now; nothing was recorded.
    """
    license_ = any_license(license_id)
    if license_ is None:
        raise NotFound
    if license_.status != LicenseStatus.ACTIVE:
        raise NotActive
    course = db.session.get_one(Course, license_.course_id)
    grant = _grant(
        person,
        GrantKind.EXTENSION,
        checked_reason(reason),
        worth_of(course, checked_days(days)),
        learner_id=license_.learner_id,
        course_id=course.id,
        license_id=license_.id,
        days=days,
    )
    return _ask(grant, person, tools)


@transactional
def ask_bulk(person: Learner, text: str, reason: str, tools: Tools) -> str:
    """Ask that a list of learners be given courses; the batch begins at once where one person is enough.

    Lines that cannot be done are left to the batch's log; what they would be worth counts all the same.

    Returns the grant's public id.

    Raises:
        BadList: the list cannot be read.
        OwnRequest: nobody gives to themselves.
        BadReason: nothing was recorded.
    """
    lines = read_list(text)
    amount_fen = sum(line.worth_fen for line in lines)
    grant = _grant(person, GrantKind.BULK, checked_reason(reason), amount_fen, input=text)
    return _ask(grant, person, tools)


def _checked_reference(reference: str | None) -> str | None:
    if not reference:
        return None
    if not _REFERENCE.fullmatch(reference):
        raise BadReference
    used = db.session.scalar(sa.select(Grant.public_id).where(Grant.reference_key == plain_number(reference)))
    if used is not None:
        raise ReferenceUsed(grant_id=used)
    return reference


def _grant(person: Learner, kind: GrantKind, reason: str, amount_fen: int, **facts: Any) -> Grant:
    reference = facts.get("reference")
    grant = Grant(
        public_id=ids.new_public_id(),
        kind=kind.value,
        status=GrantStatus.REQUESTED.value,
        reason=reason,
        amount_fen=amount_fen,
        reference_key=plain_number(reference) if reference else None,
        requested_by=person.id,
        digest="",
        created_at=clock.now(),
        **facts,
    )
    grant.digest = _digest(grant)
    return grant


def _digest(grant: Grant) -> str:
    return digest_of(
        kind=grant.kind,
        learner=grant.learner_id,
        course=grant.course_id,
        license=grant.license_id if grant.kind == GrantKind.EXTENSION else None,
        days=grant.days,
        reason=grant.reason,
        reference=grant.reference,
        amount_fen=grant.amount_fen,
        input=grant.input,
    )


def _check_is_not_for(person: Learner, grant: Grant, tools: Tools) -> None:
    """Refuse that somebody gives to themselves.

    Raises:
        OwnRequest: unless this is a shop of one person.
    """
    if grant.learner_id is not None:
        check_approver(grant.learner_id, person.id, tools.settings)
    elif grant.input is not None and person.email in {line.email for line in read_list(grant.input)}:
        check_approver(person.id, person.id, tools.settings)


def _ask(grant: Grant, person: Learner, tools: Tools) -> str:
    _check_is_not_for(person, grant, tools)
    db.session.add(grant)
    db.session.flush()
    if grant.reference_key is not None:
        # Asked when the grant has the number: of a grant and a transfer at once the second sees the first.
        order_id = order_of_number(grant.reference_key)
        if order_id is not None:
            raise ReferenceKnown(order_id=order_id)
    audit.record(
        "grant.requested",
        f"grant:{grant.public_id}",
        actor(person),
        kind=grant.kind,
        course_id=grant.course_id,
        license_id=grant.license_id,
        days=grant.days,
        amount_fen=grant.amount_fen,
        reference=grant.reference,
        reason=grant.reason,
    )
    if may_act_alone(person.id, grant.amount_fen, tools.settings):
        _carry_out(grant, person, None, tools)
    return grant.public_id


@transactional
def approve_grant(person: Learner, public_id: str, digest: str, tools: Tools) -> None:
    """Approve what another asked for, and carry it out.

    Args:
        digest: of what the approver was shown.

    Raises:
        NotFound, NotWaiting, OwnRequest, ChangedSinceAsked: nothing was done.
        AlreadyOwned, NotActive: it cannot be done any more.
        NoSigningKey: no key can sign now; it still waits.
    """
    grant = _waiting(public_id)
    check_approver(grant.requested_by, person.id, tools.settings)
    _check_is_not_for(person, grant, tools)
    if digest != grant.digest or grant.digest != _digest(grant):
        raise ChangedSinceAsked
    approver = person if person.id != grant.requested_by else None
    _carry_out(grant, person, approver, tools)


@transactional
def refuse_grant(person: Learner, public_id: str, reason: str) -> None:
    """Refuse what was asked for, or take back what one asked for oneself.

    Raises:
        NotFound, NotWaiting, BadReason: nothing was done.
    """
    grant = _waiting(public_id)
    status = GrantStatus.WITHDRAWN if person.id == grant.requested_by else GrantStatus.REFUSED
    _decide(grant, status=status.value, reference_key=None, refusal=checked_reason(reason))
    audit.record(f"grant.{status.value}", f"grant:{public_id}", actor(person), reason=reason.strip())


def _waiting(public_id: str) -> Grant:
    query = sa.select(Grant).where(Grant.public_id == public_id)
    grant = db.session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if grant is None:
        raise NotFound
    if not grant.is_waiting:
        raise NotWaiting
    return grant


def _carry_out(grant: Grant, person: Learner, approver: Learner | None, tools: Tools) -> None:
    facts: dict[str, Any] = {"approved_by": approver.id if approver else None}
    who = actor(person)
    if grant.kind == GrantKind.BULK:
        assert grant.input is not None
        params = {"grant": grant.public_id, "reason": grant.reason, "actor": who}
        total = len(read_list(grant.input))
        batch = begin_batch(BULK, grant.requested_by, who, params, grant.input, total)
        facts["batch_id"] = db.session.scalar(sa.select(Batch.id).where(Batch.public_id == batch))
    elif grant.kind == GrantKind.EXTENSION:
        assert grant.license_id is not None
        assert grant.days is not None
        facts["license_id"] = replace_license(grant.license_id, grant.reason, who, tools, grant.days)
    else:
        facts["license_id"] = _give(grant, who, tools).id
    _decide(grant, status=GrantStatus.ISSUED.value, **facts)
    audit.record("grant.issued", f"grant:{grant.public_id}", who, license_id=facts.get("license_id"))


def _give(grant: Grant, who: str, tools: Tools) -> License:
    assert grant.course_id is not None
    learner = db.session.get_one(Learner, grant.learner_id)
    course = db.session.get_one(Course, grant.course_id)
    return grant_course(learner, course, grant.reason, who, tools, grant.days)


def _decide(grant: Grant, **values: Any) -> None:
    decided = db.session.execute(
        sa.update(Grant)
        .where(Grant.id == grant.id, Grant.status == GrantStatus.REQUESTED.value)
        .values(decided_at=clock.now(), **values)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(decided):
        raise NotWaiting
