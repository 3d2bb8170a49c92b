"""Reads of licenses; the owner is in every WHERE."""

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.licenses.models import Entitlement, License
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


def licenses_of(learner_id: int) -> list[License]:
    """Return the learner's licenses, newest first."""
    query = (
        sa.select(License)
        .where(License.learner_id == learner_id)
        .order_by(License.issued_at.desc(), License.id)
    )
    return list(db.session.scalars(query))


def held_license(learner_id: int, course_id: str) -> tuple[bool, str | None]:
    """Tell whether the learner owns the course now, and the id of the license, None while it is being made."""
    row = db.session.execute(
        sa.select(Entitlement.expires_at, License.id)
        .outerjoin(License, License.active_key == Entitlement.id)
        .where(Entitlement.active_key == ownership_key(learner_id, course_id))
    ).first()
    if row is None or row.expires_at <= clock.now():
        return False, None
    return True, row.id
