"""Read reconciled days: what they came to, and what is left to decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from portal.cases.models import Case, CaseStatus
from portal.kit.db import db
from portal.reconciliation.models import BillDifference, BillRun


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
