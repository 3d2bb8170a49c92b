"""Read cases: a page of the work list, and one with all that was said about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from portal.cases.models import Case, CaseEvent, CaseKind, CaseStatus
from portal.kit.db import db


@dataclass(frozen=True)
class CaseFilter:
    """Which cases are listed; None does not narrow. `before` is the id that the page before ended with."""

    status: CaseStatus | None = CaseStatus.OPEN
    kind: CaseKind | None = None
    owner: str | None = None
    order_id: int | None = None
    before: int | None = None


def cases_page(wanted: CaseFilter, limit: int) -> Sequence[Case]:
    """Return at most `limit` cases, newest first."""
    query = sa.select(Case).order_by(Case.id.desc()).limit(limit)
    if wanted.status is not None:
        query = query.where(Case.status == wanted.status.value)
    if wanted.kind is not None:
        query = query.where(Case.kind == wanted.kind.value)
    if wanted.owner is not None:
        query = query.where(Case.owner == wanted.owner)
    if wanted.order_id is not None:
        query = query.where(Case.order_id == wanted.order_id)
    if wanted.before is not None:
        query = query.where(Case.id < wanted.before)
    return db.session.scalars(query).all()


def case_about(cause: str) -> int | None:
    """Return the id of the first case, of whatever kind, that was opened for this cause (`open_case`: `dedup_key`)."""
    keys = [f"{kind}:{cause}" for kind in CaseKind]
    return db.session.scalar(sa.select(Case.id).where(Case.dedup_key.in_(keys)).order_by(Case.id).limit(1))


def events_of(case_id: int) -> Sequence[CaseEvent]:
    """Return what was done and said about a case, in order."""
    return db.session.scalars(
        sa.select(CaseEvent).where(CaseEvent.case_id == case_id).order_by(CaseEvent.id)
    ).all()
