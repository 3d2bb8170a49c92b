"""Reads of licenses; the owner is in every WHERE."""

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import db, read, table_of
from portal.kit.errors import NotFound
from portal.licenses.models import Entitlement, License, LicenseStatus
from portal.licenses.services import ownership_key


def license_of(learner_id: int, license_id: str) -> License:
    """Return the learner's license.

    Raises:
        NotFound: when there is none, or it is another's.
    """
    found = db.session.scalar(
        sa.select(License).where(License.id == license_id, License.learner_id == learner_id)
    )
    if found is None:
        raise NotFound
    return found


def any_license(license_id: str) -> License | None:
    """Return a license, whoever's it is: for operators."""
    return db.session.scalar(
        sa.select(License).where(License.id == license_id).execution_options(populate_existing=True)
    )


def good_under(kid: str) -> list[str]:
    """Return the ids of the licenses that this key signed, were not ended, and are in time, oldest first."""
    query = (
        sa.select(License.id)
        .where(
            License.kid == kid,
            License.status == LicenseStatus.ACTIVE.value,
            License.expires_at > clock.now(),
        )
        .order_by(License.issued_at, License.id)
    )
    return list(db.session.scalars(query))


def licenses_of(learner_id: int) -> list[License]:
    """Return the learner's licenses, newest first."""
    query = (
        sa.select(License)
        .where(License.learner_id == learner_id)
        .order_by(License.issued_at.desc(), License.id)
    )
    return list(db.session.scalars(query))


_rights, _texts = table_of(Entitlement).c, table_of(License).c
_HELD = (
    sa.select(_rights.expires_at, _texts.id)
    .select_from(table_of(Entitlement))
    .outerjoin(table_of(License), _texts.active_key == _rights.id)
    .where(_rights.active_key == sa.bindparam("key"))
)


def held_license(learner_id: int, course_id: str) -> tuple[bool, str | None]:
    """Tell whether the learner owns the course now, and the id of the license, None while it is being made."""
    rows = read(_HELD, {"key": ownership_key(learner_id, course_id)})
    if not rows or rows[0].expires_at <= clock.now():
        return False, None
    return True, rows[0].id
