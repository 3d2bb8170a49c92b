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
from portal.tools import Tools

# A reason is shown to learners, and editors print it inside their own pages.
_REASON = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069<>&\"'`]{3,200}")


class BadReason(Invalid):
    """A reason is one line of 3 to 200 characters, without markup."""

    code = "bad_reason"


class NotRevocable(Conflict):
    """The license was replaced by another; that one is to be revoked."""

    code = "not_revocable"


def _checked(reason: str) -> str:
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
    reason = _checked(reason)
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
    subject = f"learner:{learner.public_id}"
    audit.record("license.granted", subject, actor, license_id=license_id, course_id=course.id, reason=reason)
    return db.session.get_one(License, license_id)


@transactional
def revoke_license(license_id: str, reason: str, actor: str) -> bool:
    """Take a license and the right behind it away, for good; return whether it was still good before.

    From this commit on the account, the verdict, the revocation list and the provider's addresses say so.

    Raises:
        NotFound: there is no such license.
        NotRevocable: it was replaced by another.
        BadReason: the reason is not one.
    """
    reason = _checked(reason)
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
    audit.record("license.revoked", f"license:{license_id}", actor, reason=reason)
    return True
