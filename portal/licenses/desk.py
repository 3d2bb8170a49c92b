"""Reads of licenses for staff: found by number, address or course, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.catalogue.models import Product
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.kit.keyset import Place
from portal.learners.models import Learner
from portal.licenses.models import Entitlement, License, LicenseStatus

PAGE = 50


@dataclass(frozen=True)
class Wanted:
    """Which licenses. `courses` narrows everything to these, for somebody who may see no others."""

    license_id: str | None = None
    learner_id: int | None = None
    status: LicenseStatus | None = None
    course_id: str | None = None
    courses: frozenset[str] | None = None


def _licenses(courses: frozenset[str] | None) -> Any:
    query = (
        sa.select(License, Learner, Product, Entitlement)
        .join(Learner, Learner.id == License.learner_id)
        .join(Product, Product.id == License.course_id)
        .join(Entitlement, Entitlement.id == License.entitlement_id)
        .execution_options(populate_existing=True)
    )
    return query if courses is None else query.where(License.course_id.in_(courses))


def found_licenses(wanted: Wanted, after: Place | None) -> Sequence[Any]:
    """Return a page of licenses and one more, newest first, each with its learner, product and right."""
    query = _licenses(wanted.courses)
    for column, value in (
        (License.id, wanted.license_id),
        (License.learner_id, wanted.learner_id),
        (License.status, wanted.status),
        (License.course_id, wanted.course_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(after.before(License.issued_at, License.entitlement_id))
    order = (License.issued_at.desc(), License.entitlement_id.desc())
    return db.session.execute(query.order_by(*order).limit(PAGE + 1)).all()


def found_license(license_id: str, courses: frozenset[str] | None) -> Any:
    """Return a license with its learner, product and right.

    Raises:
        NotFound: there is none, or it is of a course that is not among `courses`.
    """
    row = db.session.execute(_licenses(courses).where(License.id == license_id)).first()
    if row is None:
        raise NotFound
    return row


def revisions_of(entitlement_id: int) -> Sequence[License]:
    """Return all licenses of a right, the newest first."""
    query = sa.select(License).where(License.entitlement_id == entitlement_id)
    return db.session.scalars(query.order_by(License.revision.desc())).all()
