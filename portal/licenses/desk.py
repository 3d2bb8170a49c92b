"""Reads of licenses for staff: found by number, address or course, the newest right first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
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
    """Return a page of licenses and one more, each with its learner, product and right.

    The newest right comes first, and of one right the newest license.
    """
    found: list[tuple[int, datetime, str]] = []
    for courses in _parts(wanted):
        query = sa.select(License.entitlement_id, License.issued_at, License.id)
        for condition in _conditions(wanted, courses, after):
            query = query.where(condition)
        newest = query.order_by(License.entitlement_id.desc(), License.revision.desc()).limit(PAGE + 1)
        found += [(row.entitlement_id, row.issued_at, row.id) for row in db.session.execute(newest)]
    ids = [license_id for *_, license_id in sorted(found, reverse=True)[: PAGE + 1]]
    rows = db.session.execute(_licenses(wanted.courses).where(License.id.in_(ids))).all()
    return sorted(rows, key=lambda row: ids.index(row.License.id))


def _parts(wanted: Wanted) -> Iterable[str | None]:
    """Return the courses to ask for one by one, None for all: each is in the order of its own index."""
    if wanted.course_id is None:
        return [None] if wanted.courses is None else wanted.courses
    return [wanted.course_id] if wanted.courses is None or wanted.course_id in wanted.courses else []


def _conditions(
    wanted: Wanted, course_id: str | None, after: Place | None
) -> Iterator[sa.ColumnElement[bool]]:
    for column, value in (
        (License.id, wanted.license_id),
        (License.learner_id, wanted.learner_id),
        (License.status, wanted.status),
        (License.course_id, course_id),
    ):
        if value is not None:
            yield column == value
    if after is not None:
        # Of one right the newer license was issued later.
        yield License.entitlement_id <= after.id
        yield sa.or_(License.entitlement_id < after.id, License.issued_at < after.at)


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
