"""The list of a bulk grant: CSV of e-mail address, course and, optionally, days and a reference."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from portal.catalogue.models import Course
from portal.grants.errors import BadList
from portal.kit import clock
from portal.kit.db import db
from portal.learners import addresses
from portal.learners.models import Learner
from portal.licenses.models import Entitlement

COLUMNS = ("email", "course_id", "days")
LARGEST_LIST = 5_000
_DAYS = re.compile(r"[1-9]\d{0,3}", re.ASCII)


@dataclass(frozen=True)
class Line:
    """One line that can be read. `number` counts from 1, the header not counted."""

    number: int
    email: str
    course_id: str
    days: int
    worth_fen: int


def read_list(text: str) -> Sequence[Line]:
    """Read a list whole, or not at all.

    Args:
        text: CSV with a header of `email`, `course_id` and perhaps `days`; a mark of UTF-8 is allowed.

    Raises:
        BadList: not CSV, a column missing or unknown, no line, too many, a wrong cell, or a line twice; it names
            the first line that is wrong, counting from 1, and 0 for the header.
    """
    if "\x00" in text:
        raise BadList(line=0, problem="nul")
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if (
            not {"email", "course_id"} <= set(header)
            or not set(header) <= set(COLUMNS)
            or len(set(header)) != len(header)
        ):
            raise BadList(line=0, problem="header")
        cells = [row for row in rows if any(cell.strip() for cell in row)]
    except csv.Error:
        raise BadList(line=rows.line_num, problem="not_csv") from None
    if not cells or len(cells) > LARGEST_LIST:
        raise BadList(line=0, problem="too_many" if cells else "empty")
    courses = {course.id: course for course in db.session.scalars(sa.select(Course))}
    seen: set[tuple[str, str]] = set()
    return [_line(number, header, row, courses, seen) for number, row in enumerate(cells, start=1)]


def _line(
    number: int, header: list[str], row: list[str], courses: dict[str, Course], seen: set[tuple[str, str]]
) -> Line:
    if len(row) != len(header):
        raise BadList(line=number, problem="cells")
    cell = {name: text.strip() for name, text in zip(header, row, strict=True)}
    try:
        email = addresses.checked(cell["email"])
    except addresses.BadAddress:
        raise BadList(line=number, problem="email") from None
    course = courses.get(cell["course_id"])
    if course is None:
        raise BadList(line=number, problem="course")
    given = cell.get("days", "")
    if given and (not _DAYS.fullmatch(given) or int(given) > 3660):
        raise BadList(line=number, problem="days")
    if (email, course.id) in seen:
        raise BadList(line=number, problem="twice")
    seen.add((email, course.id))
    days = int(given) if given else course.license_days
    return Line(number, email, course.id, days, worth_of(course, days))


def worth_of(course: Course, days: int) -> int:
    """Return what `days` of a course are worth by its price, in fen, never less than that."""
    return -(-course.price_fen * days // course.license_days)


def dry_run(lines: Sequence[Line]) -> dict[int, str]:
    """Return which lines could not be done now, by number: `no_account` or `already_owned`."""
    emails = {line.email for line in lines}
    people = {
        row.email: row.id
        for row in db.session.execute(
            sa.select(Learner.email, Learner.id).where(
                Learner.email.in_(emails), Learner.disabled_at.is_(None)
            )
        )
    }
    owned = {
        (row.learner_id, row.course_id)
        for row in db.session.execute(
            sa.select(Entitlement.learner_id, Entitlement.course_id).where(
                Entitlement.learner_id.in_(people.values()),
                Entitlement.active_key.is_not(None),
                Entitlement.expires_at > clock.now(),
            )
        )
    }
    return {
        line.number: "no_account" if line.email not in people else "already_owned"
        for line in lines
        if line.email not in people or (people[line.email], line.course_id) in owned
    }
