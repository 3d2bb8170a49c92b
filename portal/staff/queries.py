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
    """A page of people, the newest accounts first; `older` is the place of the next page."""

    people: list[Learner]
    older: str | None


def people(search: str, role: Role | None, cursor: str | None) -> People:
    """Return accounts by the beginning of an e-mail address, or by a public id.

    Raises:
        BadCursor: the place is not one of this list.
    """
    listing = ("people", search, role or "")
    query = sa.select(Learner)
    if search:
        address = addresses.normalised(search)
        if not address.isascii():
            return People([], None)
        query = query.where(
            sa.or_(Learner.email.startswith(address, autoescape=True), Learner.public_id == address)
        )
    if role is not None:
        query = query.where(Learner.role == role.value)
    if cursor:
        # Ids grow with the moments of the accounts, and have the index.
        query = query.where(Learner.id < place_of(cursor, listing).id)
    found = list(db.session.scalars(query.order_by(Learner.id.desc()).limit(_PAGE + 1)))
    if len(found) <= _PAGE:
        return People(found, None)
    last = found[_PAGE - 1]
    return People(found[:_PAGE], cursor_of(Place(last.created_at, last.id), listing))


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
