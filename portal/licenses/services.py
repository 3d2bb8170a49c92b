"""Grant the right to a course, sign the license that proves it, and judge a license text."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from portal.kit import clock, faults, ids
from portal.kit.db import ChangedMeanwhile, add_row, changed_one, db, run, table_of
from portal.kit.errors import Conflict
from portal.licenses import text
from portal.licenses.key_ring import KeyRing, KeyState
from portal.licenses.models import Entitlement, EntitlementStatus, License, LicenseStatus


class AlreadyOwned(Conflict):
    """The learner has this course; `facts["license_id"]` is the license, None while it is being made."""

    code = "already_owned"


@dataclass(frozen=True)
class Grant:
    """Who may use what, for how long, and what it stands on: a payment, or the reason of a grant."""

    learner_id: int
    subject: str
    course_id: str
    order_id: int | None
    payment_id: int | None
    license_days: int
    max_downloads: int
    gitee: dict[str, str] | None
    grant_reason: str | None = None


def ownership_key(learner_id: int, course_id: str) -> str:
    """Return the text that is unique while a learner owns a course."""
    return f"{learner_id}:{course_id}"


def _entitlement_values(grant: Grant) -> dict[str, Any]:
    now = clock.now()
    return {
        "learner_id": grant.learner_id,
        "course_id": grant.course_id,
        "order_id": grant.order_id,
        "payment_id": grant.payment_id,
        "grant_reason": grant.grant_reason,
        "status": EntitlementStatus.ACTIVE.value,
        "active_key": ownership_key(grant.learner_id, grant.course_id),
        "max_downloads": grant.max_downloads,
        "granted_at": now,
        "expires_at": now + timedelta(days=grant.license_days),
    }


_rights = table_of(Entitlement).c
_HELD = sa.select(_rights.id, _rights.expires_at).where(_rights.active_key == sa.bindparam("key"))


def is_owned(learner_id: int, course_id: str) -> bool:
    """Tell, in the running transaction, whether the learner owns the course; retires an entitlement past its end.

    Raises:
        ChangedMeanwhile: it was extended or ended at this moment; `transactional` looks again.
    """
    held = run(_HELD, {"key": ownership_key(learner_id, course_id)}).first()
    if held is None:
        return False
    if clock.now() < held.expires_at:
        return True
    retired = db.session.execute(
        sa.update(Entitlement)
        .where(
            Entitlement.id == held.id,
            Entitlement.status == EntitlementStatus.ACTIVE.value,
            Entitlement.expires_at == held.expires_at,
        )
        .values(status=EntitlementStatus.EXPIRED.value, active_key=None)
    )
    if not changed_one(retired):
        raise ChangedMeanwhile(f"entitlement {held.id}")
    return False


def is_active(entitlement_id: int) -> bool:
    """Tell whether a right still holds: it was neither revoked nor replaced by a later one."""
    status = sa.select(Entitlement.status).where(Entitlement.id == entitlement_id)
    return db.session.scalar(status) == EntitlementStatus.ACTIVE


def grant_entitlement(grant: Grant) -> int:
    """Record the right, in the running transaction, and return its id.

    Raises:
        IntegrityError: when the learner owns the course already (unique `active_key`); ask `is_owned` first.
    """
    return int(add_row(Entitlement, **_entitlement_values(grant)))


def sign_license(
    entitlement_id: int,
    grant: Grant,
    key_ring: KeyRing,
    *,
    revision: int = 1,
    expires_at: datetime | None = None,
) -> str:
    """Sign and store the license of an entitlement, in the running transaction, and return its id.

    The text's form is fixed by the extension, which verifies it offline.

    Args:
        revision: counts the licenses of an entitlement; a later one replaces those before.
        expires_at: the end of a license that replaces another; as long as the grant says, when left out.

    Raises:
        NoSigningKey: when no key can sign now; nothing is stored.
    """
    kid, sign = key_ring.signer()
    now, license_id = clock.now(), ids.new_uuid()
    expires_at = expires_at or now + timedelta(days=grant.license_days)
    fields: dict[str, Any] = {
        "id": license_id,
        "createdAt": clock.iso(now),
        "expiresAt": clock.iso(expires_at),
        "contentPermissions": ["all_chapters"],
        "courseId": grant.course_id,
        "kid": kid,
        "subject": grant.subject,
        "limits": {"maxDownloads": grant.max_downloads},
    }
    if grant.gitee:
        fields["gitee"] = grant.gitee
    license_text = text.write(fields, sign)
    faults.point("license.after_sign")
    add_row(
        License,
        id=license_id,
        entitlement_id=entitlement_id,
        revision=revision,
        active_key=entitlement_id,
        learner_id=grant.learner_id,
        course_id=grant.course_id,
        kid=kid,
        text=license_text,
        digest=hashlib.sha256(license_text.encode()).hexdigest(),
        status=LicenseStatus.ACTIVE.value,
        issued_at=now,
        expires_at=expires_at,
    )
    faults.point("license.after_store")
    return license_id


def withdraw(license_id: str, reason: str) -> int | None:
    """Revoke a license and the right behind it, in the running transaction.

    Returns the entitlement's id, None when the license is not active (any more).
    """
    now = clock.now()
    revoked = db.session.execute(
        sa.update(License)
        .where(License.id == license_id, License.status == LicenseStatus.ACTIVE.value)
        .values(status=LicenseStatus.REVOKED.value, active_key=None, revoked_at=now, revoked_reason=reason)
    )
    if not changed_one(revoked):
        return None
    entitlement_id = db.session.execute(
        sa.select(License.entitlement_id).where(License.id == license_id)
    ).scalar_one()
    db.session.execute(
        sa.update(Entitlement)
        .where(Entitlement.id == entitlement_id)
        .values(status=EntitlementStatus.REVOKED.value, active_key=None)
    )
    return entitlement_id


REPLACED = "replaced by another license"


def replace_license(license_id: str, grant: Grant, extra_days: int, key_ring: KeyRing) -> str | None:
    """Put a new license in the place of an active one, in the running transaction; return the new one's id.

    The old text is in the signed list of ended licenses from this commit on, so that one right has one
    license (I2).

    Args:
        grant: the facts of the entitlement, for the new text.
        extra_days: how much longer the right holds than before.

    Returns None when the license is not active (any more), or is to last longer after its right has ended: a later
    one may have taken its place. The caller rolls back.

    Raises:
        NoSigningKey: when no key can sign now; nothing is changed.
    """
    key_ring.signer()
    now = clock.now()
    ended = db.session.execute(
        sa.update(License)
        .where(License.id == license_id, License.status == LicenseStatus.ACTIVE.value)
        .values(
            status=LicenseStatus.SUPERSEDED.value, active_key=None, revoked_at=now, revoked_reason=REPLACED
        )
    )
    if not changed_one(ended):
        return None
    old = db.session.execute(
        sa.select(License.entitlement_id, License.revision, License.expires_at).where(
            License.id == license_id
        )
    ).one()
    expires_at = old.expires_at + timedelta(days=extra_days)
    if extra_days:
        extended = db.session.execute(
            sa.update(Entitlement)
            .where(Entitlement.id == old.entitlement_id, Entitlement.status == EntitlementStatus.ACTIVE.value)
            .values(expires_at=expires_at)
        )
        if not changed_one(extended):
            return None
    return sign_license(old.entitlement_id, grant, key_ring, revision=old.revision + 1, expires_at=expires_at)


@dataclass(frozen=True)
class Withdrawn:
    """What was taken away: the right, and the licenses that proved it."""

    entitlement_id: int | None
    license_ids: list[str]


def withdraw_of_payment(payment_id: int, reason: str) -> Withdrawn:
    """Revoke the right that a payment bought and every good license of it, in the running transaction.

    One past its end is revoked as well: a license that was paid back is never shown as merely expired.
    """
    entitlement_id = db.session.scalar(sa.select(Entitlement.id).where(Entitlement.payment_id == payment_id))
    if entitlement_id is None:
        return Withdrawn(None, [])
    good = sa.select(License.id).where(
        License.entitlement_id == entitlement_id, License.status == LicenseStatus.ACTIVE.value
    )
    revoked = [license_id for license_id in db.session.scalars(good) if withdraw(license_id, reason)]
    db.session.execute(
        sa.update(Entitlement)
        .where(Entitlement.id == entitlement_id)
        .values(status=EntitlementStatus.REVOKED.value, active_key=None)
    )
    return Withdrawn(entitlement_id, revoked)


class LicenseCode(StrEnum):
    """The verdict on a license text."""

    VALID = "VALID"
    MALFORMED = "MALFORMED"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    COURSE_MISMATCH = "COURSE_MISMATCH"


def judge(license_text: str, course_id: str | None, key_ring: KeyRing) -> tuple[LicenseCode, License | None]:
    """Judge a license text: its signature, then what we know of it.

    Returns the verdict and the stored license, which is None unless the signature is good.
    """
    try:
        fields, signed, signature = text.read(license_text)
    except text.MalformedLicense:
        return LicenseCode.MALFORMED, None
    known = key_ring.public_key(str(fields.get("kid", "")))
    if known is None:
        return LicenseCode.UNKNOWN_KEY, None
    info, key = known
    if not text.is_signed_by(key, signed, signature):
        return LicenseCode.BAD_SIGNATURE, None
    digest = hashlib.sha256(license_text.encode()).hexdigest()
    stored = db.session.scalar(sa.select(License).where(License.digest == digest))
    if stored is None:
        return LicenseCode.UNKNOWN_KEY, None
    if info.state is KeyState.REVOKED or stored.status != LicenseStatus.ACTIVE:
        return LicenseCode.REVOKED, stored
    if course_id is not None and stored.course_id != course_id:
        return LicenseCode.COURSE_MISMATCH, stored
    return (LicenseCode.EXPIRED if stored.is_expired else LicenseCode.VALID), stored
