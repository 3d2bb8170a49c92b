"""Find in what the refunds of a bill and of our books differ: reads only.

A refund stands in the bill of the day it was asked for, with what was known of it when the bill was made. So a bill
that says "processing" of a refund that has succeeded since agrees with us.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.cases.queries import case_about
from portal.gateways.base import BillKind, BillState
from portal.kit import beijing
from portal.kit.db import db
from portal.reconciliation.differences import without_line_fen
from portal.reconciliation.found import Found
from portal.reconciliation.models import BillRun, DifferenceKind, ImportedLine
from portal.refunds.models import Refund, RefundStatus
from portal.refunds.settle import case_key

_DAY = timedelta(days=1)
SAME_REFUND = sa.and_(
    Refund.gateway == ImportedLine.gateway,
    Refund.mchid == ImportedLine.mchid,
    Refund.out_refund_no == ImportedLine.out_refund_no,
)


def refund_differences(run: BillRun) -> list[Found]:
    """Return all that differs now between the refunds of an imported bill and ours."""
    return [*_lines_that_differ(run), *_refunds_without_line(run)]


def our_refunded_fen(run: BillRun, found: Sequence[Found]) -> int:
    """Return what our books say of the refunds in this bill, and of the day's without a line.

    Args:
        found: what `refund_differences` found.
    """
    matched = db.session.scalar(
        sa.select(sa.func.sum(Refund.amount_fen))
        .select_from(ImportedLine)
        .join(Refund, SAME_REFUND)
        .where(ImportedLine.run_id == run.id, ImportedLine.kind == BillKind.REFUND.value)
    )
    return int(matched or 0) + without_line_fen(found)


def has_refunds(run: BillRun) -> bool:
    """Tell whether our books have a refund that the gateway took from us on the day."""
    return db.session.scalar(sa.select(Refund.id).where(*_of_the_day(run)).limit(1)) is not None


def _of_the_day(run: BillRun) -> tuple[sa.ColumnElement[bool], ...]:
    begin = beijing.begin_of(run.bill_date)
    return (
        Refund.gateway == run.gateway,
        Refund.mchid == run.mchid,
        Refund.called_at >= begin,
        Refund.called_at < begin + _DAY,
        # Without it the gateway has not accepted the refund: the refund's own sweep asks about it.
        Refund.refund_id.is_not(None),
    )


def _lines_that_differ(run: BillRun) -> list[Found]:
    is_done_here = Refund.status == RefundStatus.SUCCEEDED.value
    rows = db.session.execute(
        sa.select(
            ImportedLine.id.label("line_id"),
            ImportedLine.number,
            ImportedLine.line_key,
            ImportedLine.out_refund_no,
            ImportedLine.currency,
            ImportedLine.amount_fen,
            ImportedLine.state,
            Refund.payment_id,
            Refund.order_id,
            Refund.status,
            Refund.amount_fen.label("ours_fen"),
            Refund.currency.label("our_currency"),
        )
        .outerjoin(Refund, SAME_REFUND)
        .where(
            ImportedLine.run_id == run.id,
            ImportedLine.kind == BillKind.REFUND.value,
            sa.or_(
                Refund.id.is_(None),
                Refund.amount_fen != ImportedLine.amount_fen,
                Refund.currency != ImportedLine.currency,
                sa.and_(ImportedLine.state == BillState.SUCCESS.value, sa.not_(is_done_here)),
                sa.and_(ImportedLine.state == BillState.CLOSED.value, is_done_here),
            ),
        )
        .order_by(ImportedLine.id)
    )
    return [_judged(run, row) for row in rows]


def _judged(run: BillRun, row: Any) -> Found:
    case_id = None
    if row.payment_id is None:
        kind, why = DifferenceKind.MISSING_HERE, "no refund of ours has this number"
        case_id = case_about(case_key(run.gateway, row.out_refund_no))
    elif (row.ours_fen, row.our_currency) != (row.amount_fen, row.currency):
        kind, why = DifferenceKind.AMOUNT, "amount or currency"
    else:
        kind, why = DifferenceKind.STATE, f"{row.state} there, {row.status} here"
    return Found(
        kind=kind,
        subject=BillKind.REFUND,
        subject_key=row.line_key,
        our_number=row.out_refund_no,
        currency=row.currency,
        why=why,
        line_id=row.line_id,
        line_number=row.number,
        payment_id=row.payment_id,
        order_id=row.order_id,
        theirs_fen=row.amount_fen,
        ours_fen=row.ours_fen,
        case_id=case_id,
    )


def _refunds_without_line(run: BillRun) -> list[Found]:
    """Refunds that the gateway took from us on the day and that no bill of any day has."""
    rows = db.session.execute(
        sa.select(
            Refund.payment_id,
            Refund.order_id,
            Refund.refund_id,
            Refund.out_refund_no,
            Refund.amount_fen,
            Refund.currency,
        )
        .outerjoin(
            ImportedLine,
            # By what bills are indexed by.
            sa.and_(
                ImportedLine.gateway == Refund.gateway,
                ImportedLine.mchid == Refund.mchid,
                ImportedLine.kind == BillKind.REFUND.value,
                ImportedLine.line_key == Refund.refund_id,
            ),
        )
        .where(*_of_the_day(run), ImportedLine.id.is_(None))
        .order_by(Refund.id)
    )
    return [
        Found(
            kind=DifferenceKind.MISSING_THERE,
            subject=BillKind.REFUND,
            subject_key=row.refund_id,
            our_number=row.out_refund_no,
            currency=row.currency,
            why="the bill has no line for our refund",
            payment_id=row.payment_id,
            order_id=row.order_id,
            ours_fen=row.amount_fen,
        )
        for row in rows
    ]
