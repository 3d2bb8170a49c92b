"""Edit a course; its price history grows and its orders keep what they were placed at."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Self

import sqlalchemy as sa

from portal.audit import services as audit
from portal.catalogue.loading import note_price
from portal.catalogue.models import Course, Price
from portal.catalogue.queries import course_of
from portal.kit import clock
from portal.kit.db import db, transactional
from portal.kit.errors import Conflict


class EditedByAnother(Conflict):
    """The course was changed since the page was opened."""

    code = "edited_by_another"


@dataclass(frozen=True)
class CourseFacts:
    """What staff can change of a course. Amounts in fen; 0 is free."""

    title_zh: str
    title_en: str
    summary_zh: str
    summary_en: str
    price_fen: int
    license_days: int
    max_downloads: int
    is_on_sale: bool

    @classmethod
    def of(cls, course: Course) -> Self:
        """Return what a course is now."""
        return cls(**{field.name: getattr(course, field.name) for field in fields(cls)})


@transactional
def edit_course(course_id: str, facts: CourseFacts, seen: datetime, actor: str) -> bool:
    """Make a course what `facts` say; return whether anything changed.

    Args:
        seen: when the course had been changed last, on the page of whoever edits it.

    Raises:
        NotFound: there is no such course.
        EditedByAnother: it was changed meanwhile; nothing was changed now.
    """
    course = course_of(course_id)
    db.session.refresh(course, with_for_update=True)
    if course.updated_at != seen:
        raise EditedByAnother
    wanted = vars(facts)
    before = vars(CourseFacts.of(course))
    changed = [name for name in wanted if before[name] != wanted[name]]
    if not changed:
        return False
    if "price_fen" in changed:
        note_price(course.id, facts.price_fen)
    for name in changed:
        setattr(course, name, wanted[name])
    course.updated_at = clock.now()
    audit.record(
        "course.edited",
        f"course:{course.id}",
        actor,
        before={name: before[name] for name in changed},
        after={name: wanted[name] for name in changed},
    )
    return True


def prices_of(course_id: str) -> list[Price]:
    """Return what a course has cost, the newest first."""
    query = sa.select(Price).where(Price.product_id == course_id)
    return list(db.session.scalars(query.order_by(Price.valid_from.desc(), Price.id.desc())))
