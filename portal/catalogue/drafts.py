"""Changes of a course that an instructor prepares and an admin approves; until then nothing of the course changes."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.catalogue.models import Course, CourseDraft, DraftStatus
from portal.catalogue.queries import course_of
from portal.catalogue.services import CourseFacts, EditedByAnother, edit_course
from portal.kit import clock, ids
from portal.kit.db import add_row, changed_one, db, transactional
from portal.kit.errors import Conflict, NotFound

_SHOWN = 20
_FACTS = {field.name for field in fields(CourseFacts)}


class NotWaiting(Conflict):
    """The change was decided about, or taken back, before."""

    code = "not_waiting"


@transactional
def prepare_draft(course_id: str, facts: CourseFacts, seen: datetime, actor: str) -> str | None:
    """Keep what an instructor wants a course to be, in the place of what the same one wanted before.

    Args:
        seen: when the course had been changed last, on the page of whoever prepares it.

    Returns:
        The public id of the draft; None when it wants nothing else than there is.

    Raises:
        NotFound: there is no such course.
        EditedByAnother: it was changed meanwhile; nothing was kept.
    """
    course = course_of(course_id)
    db.session.refresh(course)
    if course.updated_at != seen:
        raise EditedByAnother
    before = vars(CourseFacts.of(course))
    after = vars(facts)
    if before == after:
        return None
    _move(DraftStatus.WITHDRAWN, actor, CourseDraft.course_id == course.id, CourseDraft.prepared_by == actor)
    public_id = ids.new_public_id()
    add_row(
        CourseDraft,
        public_id=public_id,
        course_id=course.id,
        status=DraftStatus.WAITING.value,
        before=before,
        after=after,
        seen=seen,
        prepared_by=actor,
        created_at=clock.now(),
    )
    changed = [name for name in after if before[name] != after[name]]
    audit.record(
        "course.draft_prepared",
        f"course:{course.id}",
        actor,
        draft=public_id,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )
    return public_id


@transactional
def approve_draft(course_id: str, public_id: str, actor: str) -> None:
    """Make a course what a draft wants, by the same edit and with the same history as if an admin had typed it.

    Raises:
        NotFound: there is no such draft of this course.
        NotWaiting: it was decided about before.
        EditedByAnother: it is overtaken; nothing was changed now.
    """
    draft = draft_of(course_id, public_id)
    _decide(draft, DraftStatus.APPROVED, actor)
    if not _is_of_this_release(draft):
        raise EditedByAnother
    edit_course(draft.course_id, CourseFacts(**draft.after), draft.seen, actor)
    audit.record(
        "course.draft_approved",
        f"course:{draft.course_id}",
        actor,
        draft=draft.public_id,
        prepared_by=draft.prepared_by,
    )


@transactional
def refuse_draft(course_id: str, public_id: str, reason: str, actor: str) -> None:
    """Refuse a draft, or take back one's own.

    Raises:
        NotFound: there is no such draft of this course.
        NotWaiting: it was decided about before.
    """
    draft = draft_of(course_id, public_id)
    is_own = draft.prepared_by == actor
    _decide(draft, DraftStatus.WITHDRAWN if is_own else DraftStatus.REFUSED, actor, refusal=reason)
    audit.record(
        "course.draft_withdrawn" if is_own else "course.draft_refused",
        f"course:{draft.course_id}",
        actor,
        draft=draft.public_id,
        reason=reason,
    )


def _decide(draft: CourseDraft, status: DraftStatus, actor: str, **values: Any) -> None:
    if not _move(status, actor, CourseDraft.id == draft.id, **values):
        raise NotWaiting


def _move(status: DraftStatus, actor: str, *which: sa.ColumnElement[bool], **values: Any) -> bool:
    """End waiting drafts; return whether it was one. The compare-and-set lets one of two who decide at once do it."""
    moved = db.session.execute(
        sa.update(CourseDraft)
        .where(CourseDraft.status == DraftStatus.WAITING.value, *which)
        .values(status=status.value, decided_by=actor, decided_at=clock.now(), **values)
        .execution_options(synchronize_session=False)
    )
    return changed_one(moved)


def draft_of(course_id: str, public_id: str) -> CourseDraft:
    """Return a draft of a course.

    Raises:
        NotFound: there is none.
    """
    query = sa.select(CourseDraft).where(
        CourseDraft.public_id == public_id, CourseDraft.course_id == course_id
    )
    draft = db.session.scalars(query.execution_options(populate_existing=True)).first()
    if draft is None:
        raise NotFound
    return draft


def is_overtaken(draft: CourseDraft, course: Course) -> bool:
    """Tell whether the course was changed after a draft was prepared, or what staff can change of one was."""
    return draft.seen != course.updated_at or not _is_of_this_release(draft)


def _is_of_this_release(draft: CourseDraft) -> bool:
    return draft.after.keys() == _FACTS


def drafts_of(course_id: str) -> Sequence[CourseDraft]:
    """Return the newest drafts of a course, the newest first."""
    query = sa.select(CourseDraft).where(CourseDraft.course_id == course_id)
    return db.session.scalars(query.order_by(CourseDraft.id.desc()).limit(_SHOWN)).all()


def waiting_drafts(within: Collection[str] | None = None) -> Sequence[sa.Row[CourseDraft, Course]]:
    """Return the drafts that can be approved with their courses, the oldest first.

    Args:
        within: the ids of the courses in question; None: every course.
    """
    of_now = sa.and_(CourseDraft.course_id == Course.id, CourseDraft.seen == Course.updated_at)
    query = sa.select(CourseDraft, Course).join(Course, of_now).order_by(CourseDraft.id)
    query = query.where(CourseDraft.status == DraftStatus.WAITING.value)
    if within is not None:
        query = query.where(CourseDraft.course_id.in_(within))
    found = db.session.execute(query)
    return [row for row in found if _is_of_this_release(row[0])]


def waiting_count() -> int:
    """Count the drafts that can be approved."""
    return len(waiting_drafts())
