"""Reads of the catalogue."""

import re

import sqlalchemy as sa

from portal.catalogue.models import Course
from portal.kit.db import db
from portal.kit.errors import NotFound

COURSE_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]", re.ASCII)


def courses_on_sale(search: str | None = None) -> list[Course]:
    """Return the courses on sale in their order; with `search`, those whose title, summary or id has it.

    Both languages are searched, without regard to case.
    """
    query = sa.select(Course).where(Course.is_on_sale.is_(True)).order_by(Course.position, Course.id)
    courses = list(db.session.scalars(query))
    if not search:
        return courses
    needle = search.casefold()
    return [course for course in courses if needle in _searchable(course)]


def _searchable(course: Course) -> str:
    return "\n".join(
        (course.id, course.title_zh, course.title_en, course.summary_zh, course.summary_en)
    ).casefold()


def course_of(course_id: str) -> Course:
    """Return a course, on sale or withdrawn.

    Raises:
        NotFound: when there is none.
    """
    # MySQL ignores spaces at the end of what it compares, so the form is checked here.
    course = db.session.get(Course, course_id) if COURSE_ID.fullmatch(course_id) else None
    if course is None:
        raise NotFound
    return course
