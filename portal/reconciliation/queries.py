"""Read reconciled days: what they came to, and what is left to decide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from portal.cases.models import Case, CaseStatus
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.reconciliation.models import BillDifference, BillRun, ImportedLine


@dataclass(frozen=True)
class DayFacts:
    """A day in figures, in fen; `open_cases` are those of differences that nobody has decided about."""

    day: date
    state: str
    source: str | None
    sha1: str | None
    lines: int
    their_paid_fen: int
    their_refunded_fen: int
    our_paid_fen: int
    our_refunded_fen: int
    differences: int
    open_cases: Sequence[int]

    @property
    def open_differences(self) -> int:
        """Return how many differences nobody has decided about."""
        return len(self.open_cases)


def day_facts(run_id: int) -> DayFacts:
    """Return what a day came to."""
    run = db.session.get_one(BillRun, run_id, populate_existing=True)
    differences = db.session.execute(
        sa.select(BillDifference.case_id, Case.status)
        .join(Case, Case.id == BillDifference.case_id)
        .where(BillDifference.run_id == run_id, BillDifference.resolved_at.is_(None))
        .order_by(BillDifference.id)
    ).all()
    return DayFacts(
        day=run.bill_date,
        state=run.state,
        source=run.source,
        sha1=run.sha1,
        lines=run.line_count,
        their_paid_fen=run.their_paid_fen,
        their_refunded_fen=run.their_refunded_fen,
        our_paid_fen=run.our_paid_fen,
        our_refunded_fen=run.our_refunded_fen,
        differences=len(differences),
        open_cases=[row.case_id for row in differences if row.status == CaseStatus.OPEN],
    )


@dataclass(frozen=True)
class Day:
    """A line of the list of days; `undecided` counts the differences whose case is open."""

    day: date
    state: str
    their_paid_fen: int
    our_paid_fen: int
    their_refunded_fen: int
    our_refunded_fen: int
    differences: int
    undecided: int


def days(gateway: str, mchid: str, before: date | None, limit: int) -> Sequence[Day]:
    """Return at most `limit` days, newest first, before the day `before`."""
    count = sa.func.count
    shown = (
        BillRun.bill_date,
        BillRun.state,
        BillRun.their_paid_fen,
        BillRun.our_paid_fen,
        BillRun.their_refunded_fen,
        BillRun.our_refunded_fen,
    )
    query = (
        sa.select(*shown, count(BillDifference.id), count(Case.id))
        .outerjoin(
            BillDifference,
            sa.and_(BillDifference.run_id == BillRun.id, BillDifference.resolved_at.is_(None)),
        )
        .outerjoin(Case, sa.and_(Case.id == BillDifference.case_id, Case.status == CaseStatus.OPEN.value))
        .where(BillRun.gateway == gateway, BillRun.mchid == mchid)
        .group_by(BillRun.id, *shown)  # MariaDB wants every column named.
        .order_by(BillRun.bill_date.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(BillRun.bill_date < before)
    return [Day(*row) for row in db.session.execute(query)]


def run_of_day(gateway: str, mchid: str, day: date) -> BillRun:
    """Return the run of a day.

    Raises:
        NotFound: the day was never begun.
    """
    run = db.session.scalar(
        sa.select(BillRun).where(BillRun.gateway == gateway, BillRun.mchid == mchid, BillRun.bill_date == day)
    )
    if run is None:
        raise NotFound
    return run


@dataclass(frozen=True)
class ShownDifference:
    """A difference with the state of its case."""

    id: int
    kind: str
    subject: str
    subject_key: str
    theirs_fen: int | None
    ours_fen: int | None
    payment_id: int | None
    case_id: int
    resolved_at: datetime | None
    is_open: bool


def differences(run_id: int) -> Sequence[ShownDifference]:
    """Return the differences of a day, those that are left first; at most 500."""
    rows: Iterable[Any] = db.session.execute(
        sa.select(
            BillDifference.id,
            BillDifference.kind,
            BillDifference.subject,
            BillDifference.subject_key,
            BillDifference.theirs_fen,
            BillDifference.ours_fen,
            BillDifference.payment_id,
            BillDifference.case_id,
            BillDifference.resolved_at,
            Case.status == CaseStatus.OPEN.value,
        )
        .join(Case, Case.id == BillDifference.case_id)
        .where(BillDifference.run_id == run_id)
        .order_by(BillDifference.resolved_at.is_not(None), BillDifference.id)
        .limit(500)
    )
    return [ShownDifference(*row) for row in rows]


def lines(run_id: int, after: int, limit: int) -> Sequence[ImportedLine]:
    """Return at most `limit` lines of a day's bill, those after the line `after` of the file."""
    return db.session.scalars(
        sa.select(ImportedLine)
        .where(ImportedLine.run_id == run_id, ImportedLine.number > after)
        .order_by(ImportedLine.number)
        .limit(limit)
    ).all()
