"""Reads of the catalogue."""

import re
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from portal.catalogue.models import Course, Product
from portal.kit.db import db, read, table_of
from portal.kit.errors import NotFound

Listed = TypeVar("Listed", "Course", "CourseCard")
COURSE_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]", re.ASCII)


class CourseCard(NamedTuple):
    """What a list shows of a course on sale. Two with the same values look the same."""

    id: str
    title_zh: str
    title_en: str
    summary_zh: str
    summary_en: str
    level: str
    estimated_hours: int
    license_days: int
    price_fen: int

    @property
    def is_on_sale(self) -> bool:
        """Always: a withdrawn course is in no list."""
        return True

    @property
    def is_free(self) -> bool:
        """Tell whether the course needs no payment at all."""
        return self.price_fen == 0

    def title(self, locale: str) -> str:
        """Return the title in the language of `locale` (`en…`, else Chinese)."""
        return self.title_en if locale.startswith("en") else self.title_zh

    def summary(self, locale: str) -> str:
        """Return the summary in the language of `locale` (`en…`, else Chinese)."""
        return self.summary_en if locale.startswith("en") else self.summary_zh


_products, _courses = table_of(Product).c, table_of(Course).c
_CARDS = (
    sa.select(*(_products[name] if name in _products else _courses[name] for name in CourseCard._fields))
    .where(_courses.id == _products.id, _products.is_on_sale.is_(True))
    .order_by(_products.position, _products.id)
)


def cards_on_sale(search: str | None = None) -> list[CourseCard]:
    """Return the cards of the courses on sale in their order, or of those that a search finds."""
    return _found([CourseCard._make(row) for row in read(_CARDS, {})], search)


def courses_on_sale(search: str | None = None) -> list[Course]:
    """Return the courses on sale in their order, or those that a search finds."""
    query = sa.select(Course).where(Course.is_on_sale.is_(True)).order_by(Course.position, Course.id)
    return _found(list(db.session.scalars(query)), search)


def _found(courses: list[Listed], search: str | None) -> list[Listed]:
    """Return those whose title, summary or id has `search` in it, in either language and case; all for an empty one."""
    if not search:
        return courses
    needle = search.casefold()
    return [course for course in courses if needle in _searchable(course)]


def _searchable(course: Course | CourseCard) -> str:
    return "\n".join(
        (course.id, course.title_zh, course.title_en, course.summary_zh, course.summary_en)
    ).casefold()


def all_courses() -> list[Course]:
    """Return every course, withdrawn ones too, in their order."""
    return list(db.session.scalars(sa.select(Course).order_by(Course.position, Course.id)))


class Terms(NamedTuple):
    """What an order copies of a course, on sale or withdrawn."""

    id: str
    kind: str
    title_zh: str
    title_en: str
    price_fen: int
    currency: str
    is_on_sale: bool
    license_days: int
    max_downloads: int

    @property
    def is_free(self) -> bool:
        """Tell whether the course needs no payment at all."""
        return self.price_fen == 0


_TERMS = sa.select(
    *(_products[name] if name in _products else _courses[name] for name in Terms._fields)
).where(_courses.id == _products.id, _products.id == sa.bindparam("course"))


def terms_of(course_id: str) -> Terms:
    """Return what an order copies of a course, on sale or withdrawn.

    Raises:
        NotFound: when there is none.
    """
    rows = read(_TERMS, {"course": course_id}) if COURSE_ID.fullmatch(course_id) else []
    if not rows:
        raise NotFound
    return Terms._make(rows[0])


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
