"""What an operator does to the right to a course: grant it for a reason, or take it away."""

import re

import sqlalchemy as sa

from portal.audit import services as audit
from portal.catalogue.models import Course
from portal.kit.db import db, transactional
from portal.kit.errors import Conflict, Invalid, NotFound
from portal.learners.models import Learner
from portal.licenses import services as licenses
from portal.licenses.models import Entitlement, License, LicenseStatus
from portal.licenses.queries import any_license, held_license
from portal.licenses.services import AlreadyOwned, Grant
from portal.orders.services import touch
from portal.outbox import services as outbox
from portal.tools import Tools

# A reason is shown to learners, and editors print it inside their own pages.
_REASON = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069<>&\"'`]{3,200}")


class BadReason(Invalid):
    """A reason is one line of 3 to 200 characters, without markup."""

    code = "bad_reason"


class NotRevocable(Conflict):
    """The license was replaced by another; that one is to be revoked."""

    code = "not_revocable"


class NotActive(Conflict):
    """The license has ended or was replaced, so that nothing can take its place."""

    code = "not_active"


def checked_reason(reason: str) -> str:
    """Return the reason without blanks around it.

    Raises:
        BadReason: it is not one line of 3 to 200 characters without markup.
    """
    text = reason.strip()
    if not _REASON.fullmatch(text):
        raise BadReason
    return text


@transactional
def grant_course(
    learner: Learner, course: Course, reason: str, actor: str, tools: Tools, days: int | None = None
) -> License:
    """Give the learner the course without a payment, and on record why; return the license.

    Raises:
        AlreadyOwned: the learner has it.
        BadReason: the reason is not one.
        NoSigningKey: no key can sign now; nothing was recorded.
    """
    reason = checked_reason(reason)
    if licenses.is_owned(learner.id, course.id):
        raise AlreadyOwned(license_id=held_license(learner.id, course.id)[1])
    grant = Grant(
        learner_id=learner.id,
        subject=learner.public_id,
        course_id=course.id,
        order_id=None,
        payment_id=None,
        license_days=days or course.license_days,
        max_downloads=course.max_downloads,
        gitee=course.gitee,
        grant_reason=reason,
    )
    license_id = licenses.sign_license(licenses.grant_entitlement(grant), grant, tools.key_ring)
    outbox.add("mail_license", f"mail_license:{license_id}", license_id)
    subject = f"learner:{learner.public_id}"
    audit.record("license.granted", subject, actor, license_id=license_id, course_id=course.id, reason=reason)
    return db.session.get_one(License, license_id)


@transactional
def revoke_license(license_id: str, reason: str, actor: str) -> bool:
    """Take a license and the right behind it away, for good; return whether it was still good before.

    From this commit on the account, the verdict, the revocation list and the provider's addresses say so, and the
    owner is written to.

    Raises:
        NotFound: there is no such license.
        NotRevocable: it was replaced by another.
        BadReason: the reason is not one.
    """
    reason = checked_reason(reason)
    entitlement_id = licenses.withdraw(license_id, reason)
    if entitlement_id is None:
        found = any_license(license_id)
        if found is None:
            raise NotFound
        if found.status != LicenseStatus.REVOKED:
            raise NotRevocable
        return False
    order_id = db.session.scalar(sa.select(Entitlement.order_id).where(Entitlement.id == entitlement_id))
    if order_id is not None:
        touch(order_id)
    outbox.add("mail_license_revoked", f"mail_license_revoked:{license_id}", license_id)
    audit.record("license.revoked", f"license:{license_id}", actor, reason=reason)
    return True


@transactional
def replace_license(license_id: str, reason: str, actor: str, tools: Tools, extra_days: int = 0) -> str:
    """Give the owner a new license text in the place of an active one, and mail it; return its id.

    Reissuing keeps the end (`extra_days` 0); extending moves it. The old text is no longer good.

    Raises:
        NotFound: there is no such license.
        NotActive: it has ended, or was replaced meanwhile.
        BadReason: the reason is not one.
        NoSigningKey: no key can sign now; nothing was changed.
    """
    reason = checked_reason(reason)
    old = any_license(license_id)
    if old is None:
        raise NotFound
    new_id = licenses.replace_license(license_id, _grant_behind(old), extra_days, tools.key_ring)
    if new_id is None:
        raise NotActive
    order_id = db.session.scalar(sa.select(Entitlement.order_id).where(Entitlement.id == old.entitlement_id))
    if order_id is not None:
        touch(order_id)
    outbox.add("mail_license", f"mail_license:{new_id}", new_id)
    action = "license.extended" if extra_days else "license.reissued"
    audit.record(action, f"license:{license_id}", actor, license_id=new_id, days=extra_days, reason=reason)
    return new_id


def _grant_behind(license_: License) -> Grant:
    facts = db.session.execute(
        sa.select(Entitlement.order_id, Entitlement.payment_id, Entitlement.max_downloads, Learner.public_id)
        .join(Learner, Learner.id == Entitlement.learner_id)
        .where(Entitlement.id == license_.entitlement_id)
    ).one()
    course = db.session.get_one(Course, license_.course_id)
    return Grant(
        learner_id=license_.learner_id,
        subject=facts.public_id,
        course_id=license_.course_id,
        order_id=facts.order_id,
        payment_id=facts.payment_id,
        license_days=course.license_days,
        max_downloads=facts.max_downloads,
        gitee=course.gitee,
    )
