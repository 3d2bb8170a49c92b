"""Reads of people, for those who look after them."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from portal.catalogue.models import Course
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.kit.keyset import Place, cursor_of, place_of
from portal.learners import addresses
from portal.learners.models import Learner, Role
from portal.staff.models import CourseInstructor

_PAGE = 50


@dataclass(frozen=True)
class People:
    """A page of people; `older` is the place of the next page."""

    people: list[Learner]
    older: str | None


def people(search: str, role: Role | None, cursor: str | None) -> People:
    """Return accounts, the newest first; or by a public id; or by the beginning of an e-mail address, by address.

    Raises:
        BadCursor: the place is not one of this list.
    """
    listing = ("people", search, role or "")
    place = place_of(cursor, listing) if cursor else None
    query = sa.select(Learner)
    if role is not None:
        query = query.where(Learner.role == role.value)
    address = addresses.normalised(search)
    if not address.isascii():
        return People([], None)
    if address:
        found = list(db.session.scalars(query.where(Learner.public_id == address)))
        if found:
            return People(found, None)
        query = query.where(Learner.email.startswith(address, autoescape=True)).order_by(Learner.email)
        if place is not None:
            query = query.where(Learner.email > _email_of(place.id))
    else:
        # Ids grow with the moments of the accounts, and have the index.
        query = query.order_by(Learner.id.desc())
        if place is not None:
            query = query.where(Learner.id < place.id)
    found = list(db.session.scalars(query.limit(_PAGE + 1)))
    if len(found) <= _PAGE:
        return People(found, None)
    last = found[_PAGE - 1]
    return People(found[:_PAGE], cursor_of(Place(last.created_at, last.id), listing))


def _email_of(learner_id: int) -> str:
    return db.session.scalar(sa.select(Learner.email).where(Learner.id == learner_id)) or ""


def accounts_of(roles: Collection[Role]) -> list[Learner]:
    """Return all accounts of some roles, by role and address."""
    query = sa.select(Learner).where(Learner.role.in_([role.value for role in roles]))
    return list(db.session.scalars(query.order_by(Learner.role, Learner.email)))


def person(public_id: str) -> Learner:
    """Return the account with a public id.

    Raises:
        NotFound.
    """
    found = db.session.scalar(
        sa.select(Learner).where(Learner.public_id == public_id).execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound
    return found


def course_ids_of(learner: Learner) -> list[str]:
    """Return the ids of the courses that an instructor teaches."""
    query = sa.select(CourseInstructor.course_id).where(CourseInstructor.learner_id == learner.id)
    return sorted(db.session.scalars(query))


def all_course_ids() -> list[str]:
    """Return the ids of all courses, withdrawn ones included."""
    return sorted(db.session.scalars(sa.select(Course.id)))
