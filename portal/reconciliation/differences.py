"""Find in what the payments of a bill and of our books differ: reads only, a few statements for a whole day."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.cases.queries import case_about
from portal.gateways.base import BillKind
from portal.kit import beijing
from portal.kit.db import db
from portal.payments.models import Payment, PaymentStatus
from portal.payments.settle import case_cause
from portal.reconciliation.found import Found
from portal.reconciliation.models import BillRun, DifferenceKind, ImportedLine

_DAY = timedelta(days=1)


def payment_differences(run: BillRun) -> list[Found]:
    """Return all that differs now between the payments of an imported bill and ours."""
    return [*_lines_that_differ(run), *_payments_without_line(run)]


def our_paid_fen(run: BillRun, found: Sequence[Found]) -> int:
    """Return what our books say was paid of this bill's lines, and of the day without a line.

    Args:
        found: what `payment_differences` found.
    """
    matched = db.session.scalar(
        sa.select(sa.func.sum(Payment.amount_fen))
        .select_from(ImportedLine)
        .join(Payment, _SAME_PAYMENT)
        .where(ImportedLine.run_id == run.id, ImportedLine.kind == BillKind.PAYMENT.value)
    )
    return int(matched or 0) + without_line_fen(found)


def without_line_fen(found: Sequence[Found]) -> int:
    """Return the sum, by our books, of what has no line in any bill."""
    return sum(each.ours_fen or 0 for each in found if each.kind is DifferenceKind.MISSING_THERE)


def has_payments(run: BillRun) -> bool:
    """Tell whether our books have a payment of the day."""
    return db.session.scalar(sa.select(Payment.id).where(*_of_the_day(run)).limit(1)) is not None


# A line's key, which is its transaction here, is what bills are indexed by; so both ways of joining are quick.
_SAME_PAYMENT = sa.and_(
    Payment.gateway == ImportedLine.gateway,
    Payment.mchid == ImportedLine.mchid,
    Payment.transaction_id == ImportedLine.line_key,
)


def _of_the_day(run: BillRun) -> tuple[sa.ColumnElement[bool], ...]:
    begin = beijing.begin_of(run.bill_date)
    return (
        Payment.gateway == run.gateway,
        Payment.mchid == run.mchid,
        Payment.status == PaymentStatus.PAID.value,
        Payment.paid_at >= begin,
        Payment.paid_at < begin + _DAY,
    )


def _lines_that_differ(run: BillRun) -> list[Found]:
    rows = db.session.execute(
        sa.select(
            ImportedLine.id.label("line_id"),
            ImportedLine.number,
            ImportedLine.kind,
            ImportedLine.line_key,
            ImportedLine.transaction_id,
            ImportedLine.out_trade_no,
            ImportedLine.currency,
            ImportedLine.amount_fen,
            Payment.id.label("payment_id"),
            Payment.order_id,
            Payment.out_trade_no.label("our_out_trade_no"),
            Payment.amount_fen.label("ours_fen"),
            Payment.currency.label("our_currency"),
        )
        .outerjoin(Payment, _SAME_PAYMENT)
        .where(
            ImportedLine.run_id == run.id,
            ImportedLine.kind != BillKind.REFUND.value,
            sa.or_(
                ImportedLine.kind == BillKind.REVOCATION.value,
                Payment.id.is_(None),
                Payment.amount_fen != ImportedLine.amount_fen,
                Payment.currency != ImportedLine.currency,
                Payment.out_trade_no != ImportedLine.out_trade_no,
            ),
        )
        .order_by(ImportedLine.id)
    )
    return [_judged(run, row) for row in rows]


def _judged(run: BillRun, row: Any) -> Found:
    case_id = None
    if row.kind == BillKind.REVOCATION:
        kind, why = DifferenceKind.STATE, "the gateway says that the payment was undone"
    elif row.payment_id is None:
        kind, why = DifferenceKind.MISSING_HERE, "no payment of ours has this transaction"
        case_id = case_about(case_cause(run.gateway, run.mchid, row.out_trade_no, row.transaction_id))
    elif (row.ours_fen, row.our_currency) != (row.amount_fen, row.currency):
        kind, why = DifferenceKind.AMOUNT, "amount or currency"
    else:
        kind, why = DifferenceKind.STATE, f"our number for it is {row.our_out_trade_no}"
    return Found(
        kind=kind,
        subject=BillKind(row.kind),
        subject_key=row.line_key,
        our_number=row.out_trade_no,
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


def _payments_without_line(run: BillRun) -> list[Found]:
    """Payments of the day that no bill of any day has: near midnight the neighbour's may."""
    rows = db.session.execute(
        sa.select(
            Payment.id,
            Payment.order_id,
            Payment.transaction_id,
            Payment.out_trade_no,
            Payment.amount_fen,
            Payment.currency,
        )
        .outerjoin(ImportedLine, sa.and_(_SAME_PAYMENT, ImportedLine.kind == BillKind.PAYMENT.value))
        .where(*_of_the_day(run), ImportedLine.id.is_(None))
        .order_by(Payment.id)
    )
    return [
        Found(
            kind=DifferenceKind.MISSING_THERE,
            subject=BillKind.PAYMENT,
            subject_key=row.transaction_id,
            our_number=row.out_trade_no,
            currency=row.currency,
            why="the bill has no line for our payment",
            payment_id=row.id,
            order_id=row.order_id,
            ours_fen=row.amount_fen,
        )
        for row in rows
    ]
