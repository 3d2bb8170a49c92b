"""Compare an imported bill with our books, both ways, and keep what differs with a case for each (I22)."""

from typing import Any

import sqlalchemy as sa

from portal.cases.models import Case, CaseKind
from portal.cases.services import open_case, resolve_case
from portal.gateways.base import BillKind
from portal.kit import clock
from portal.kit.db import db, transactional
from portal.reconciliation.differences import our_paid_fen, payment_differences
from portal.reconciliation.found import Found
from portal.reconciliation.models import BillDifference, BillRun, DifferenceKind, ImportedLine, RunState
from portal.reconciliation.refund_differences import our_refunded_fen, refund_differences

_CASES = {
    DifferenceKind.MISSING_HERE: CaseKind.BILL_MISSING_HERE,
    DifferenceKind.MISSING_THERE: CaseKind.BILL_MISSING_THERE,
    DifferenceKind.AMOUNT: CaseKind.BILL_AMOUNT,
    DifferenceKind.STATE: CaseKind.BILL_STATE,
}


@transactional
def compare(run_id: int) -> None:
    """Keep what differs now, and let go what differed before; whoever does it again finds the same."""
    run = db.session.get_one(BillRun, run_id, populate_existing=True, with_for_update=True)
    of_payments, of_refunds = payment_differences(run), refund_differences(run)
    found = {difference.identity: difference for difference in of_payments + of_refunds}
    known = {(row.subject, row.subject_key, row.kind): row for row in _kept(run_id)}
    for identity, difference in found.items():
        _keep(run, difference, known.get(identity))
    for identity, row in known.items():
        if identity not in found and row.resolved_at is None:
            _resolve(row, f"The bill of {run.bill_date} and our books agree now.")
    elsewhere = _found_elsewhere(run)
    for row in elsewhere:
        _resolve(row, f"It stands in the bill of {run.bill_date}.")
    db.session.execute(
        sa.update(BillRun)
        .where(BillRun.id == run_id)
        .values(
            our_paid_fen=our_paid_fen(run, of_payments),
            our_refunded_fen=our_refunded_fen(run, of_refunds),
            compared_at=clock.now(),
            last_error=None,
        )
        .execution_options(synchronize_session=False)
    )
    _restate(run_id)
    # What stands in this bill counts for this day, and no more for the other.
    for other_id in sorted({row.run_id for row in elsewhere}):
        compare(other_id)


def _kept(run_id: int) -> list[Any]:
    return list(
        db.session.execute(
            sa.select(
                BillDifference.id,
                BillDifference.run_id,
                BillDifference.subject,
                BillDifference.subject_key,
                BillDifference.kind,
                BillDifference.case_id,
                BillDifference.resolved_at,
            ).where(BillDifference.run_id == run_id)
        )
    )


def _keep(run: BillRun, difference: Found, known: Any) -> None:
    case_id = difference.case_id or _open_case(run, difference)
    if known is not None:
        db.session.execute(
            sa.update(BillDifference)
            .where(BillDifference.id == known.id)
            .values(resolved_at=None, case_id=case_id, ours_fen=difference.ours_fen)
            .execution_options(synchronize_session=False)
        )
        return
    db.session.execute(
        sa.insert(BillDifference).values(
            run_id=run.id,
            kind=difference.kind.value,
            subject=difference.subject.value,
            subject_key=difference.subject_key,
            line_id=difference.line_id,
            payment_id=difference.payment_id,
            theirs_fen=difference.theirs_fen,
            ours_fen=difference.ours_fen,
            case_id=case_id,
            found_at=clock.now(),
        )
    )


def _open_case(run: BillRun, difference: Found) -> int:
    evidence = {
        "gateway": run.gateway,
        "mchid": run.mchid,
        "bill_date": run.bill_date.isoformat(),
        "line": difference.line_number,
        "about": difference.subject.value,
        "number": difference.subject_key,
        "out_refund_no" if difference.subject is BillKind.REFUND else "out_trade_no": difference.our_number,
        "theirs_fen": difference.theirs_fen,
        "ours_fen": difference.ours_fen,
        "why": difference.why,
    }
    return open_case(
        _CASES[difference.kind],
        f"{run.gateway}:{run.mchid}:{run.bill_date}:{difference.subject}:{difference.subject_key}",
        evidence,
        order_id=difference.order_id,
        payment_id=difference.payment_id,
        amount_fen=difference.theirs_fen if difference.theirs_fen is not None else difference.ours_fen,
        currency=difference.currency,
    )


def _resolve(row: Any, why: str) -> None:
    db.session.execute(
        sa.update(BillDifference)
        .where(BillDifference.id == row.id, BillDifference.resolved_at.is_(None))
        .values(resolved_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    # A case that settling opened (paid twice, wrong amount) is about more than this line: a person ends it.
    kind = db.session.scalar(sa.select(Case.kind).where(Case.id == row.case_id))
    if kind in _CASES.values():
        resolve_case(row.case_id, why)


def _found_elsewhere(run: BillRun) -> list[Any]:
    """Return what lacked its line in another day's bill and has one in this."""
    return list(
        db.session.execute(
            sa.select(BillDifference.id, BillDifference.run_id, BillDifference.case_id)
            .join(
                ImportedLine,
                sa.and_(
                    ImportedLine.run_id == run.id,
                    ImportedLine.kind == BillDifference.subject,
                    ImportedLine.line_key == BillDifference.subject_key,
                ),
            )
            .where(
                BillDifference.kind == DifferenceKind.MISSING_THERE.value,
                BillDifference.resolved_at.is_(None),
                BillDifference.run_id != run.id,
            )
        )
    )


def _restate(run_id: int) -> None:
    left = sa.select(BillDifference.id).where(
        BillDifference.run_id == run_id, BillDifference.resolved_at.is_(None)
    )
    state = RunState.DIFFERENT if db.session.scalar(left.limit(1)) is not None else RunState.BALANCED
    db.session.execute(
        sa.update(BillRun)
        .where(BillRun.id == run_id)
        .values(state=state.value)
        .execution_options(synchronize_session=False)
    )
