"""Keep refunds within what was paid (I5), and their order's page in step with them.

The payment's row counts what refunds hold. Everything here runs inside the caller's transaction, which has
locked the payment and its order first (`payments/settle.py: lock_payment`).
"""

from typing import Any

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import changed_one, db
from portal.kit.errors import NotFound
from portal.ledger.services import SALES, account_of_payment
from portal.orders.models import Order, RefundState
from portal.payments.models import Payment
from portal.payments.settle import lock_payment
from portal.refunds.models import Refund, RefundStatus

GIVEN_OTHERWISE = "refunded otherwise"


def reserve(payment_id: int, amount_fen: int) -> bool:
    """Take `amount_fen` of what was paid and is not yet held; False when there is not so much.

    One compare-and-set: however many ask at once, their sum stays within the payment.
    """
    taken = db.session.execute(
        sa.update(Payment)
        .where(Payment.id == payment_id, Payment.reserved_fen + amount_fen <= Payment.amount_fen)
        .values(reserved_fen=Payment.reserved_fen + amount_fen)
        .execution_options(synchronize_session=False)
    )
    return changed_one(taken)


def let_go(refund: Refund, status: RefundStatus, **values: Any) -> bool:
    """End a refund that will not happen and give back what it held; False when its state has changed."""
    held = refund.held_fen
    ended = db.session.execute(
        sa.update(Refund)
        .where(Refund.id == refund.id, Refund.status == refund.status, Refund.held_fen == held)
        .values(status=status.value, held_fen=0, ended_at=refund.ended_at or clock.now(), **values)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(ended):
        return False
    db.session.execute(
        sa.update(Payment)
        .where(Payment.id == refund.payment_id)
        .values(reserved_fen=Payment.reserved_fen - held)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(refund)
    return True


def lock_refund(out_refund_no: str) -> tuple[Any, Refund]:
    """Lock a payment and its refund of this number, in that order; return the payment's columns and the refund.

    Raises:
        NotFound: there is no such refund.
    """
    found = db.session.execute(
        sa.select(Refund.id, Payment.out_trade_no)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.out_refund_no == out_refund_no)
    ).first()
    if found is None:
        raise NotFound
    payment = lock_payment(found.out_trade_no)
    return payment, refund_for_update(found.id)


def refund_for_update(refund_id: int) -> Refund:
    """Return a refund as it is now, locked."""
    return db.session.scalars(
        sa.select(Refund)
        .where(Refund.id == refund_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def show_on_order(payment_id: int, order_id: int) -> None:
    """Count a change on the order's page, and say there what is under way with its money.

    A refund of money that bought nothing is no business of the purchase.
    """
    values: dict[str, Any] = {"version": Order.version + 1}
    if account_of_payment(payment_id) == SALES:
        values["refund_state"] = _state_of(payment_id)
    db.session.execute(
        sa.update(Order)
        .where(Order.id == order_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _state_of(payment_id: int) -> str | None:
    found = set(
        db.session.scalars(
            sa.select(Refund.status).where(Refund.payment_id == payment_id, Refund.held_fen > 0).distinct()
        )
    )
    if RefundStatus.ABNORMAL in found:
        return RefundState.ABNORMAL.value
    if found & {RefundStatus.APPROVED.value, RefundStatus.PROCESSING.value, RefundStatus.CLOSED.value}:
        return RefundState.PROCESSING.value
    return RefundState.REQUESTED.value if RefundStatus.REQUESTED in found else None


def make_room(payment: Any, refund: Refund, missing_fen: int) -> bool:
    """Free what requests nobody has decided about hold, newest first, for money that has verifiably gone.

    Returns whether `missing_fen` is free now.
    """
    free = db.session.execute(
        sa.select(Payment.amount_fen - Payment.reserved_fen).where(Payment.id == payment.id)
    ).scalar_one()
    if free >= missing_fen:
        return True
    waiting = db.session.scalars(
        sa.select(Refund)
        .where(
            Refund.payment_id == payment.id,
            Refund.id != refund.id,
            Refund.status == RefundStatus.REQUESTED.value,
        )
        .order_by(Refund.id.desc())
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if free + sum(other.held_fen for other in waiting) < missing_fen:
        return False
    for other in waiting:
        if free < missing_fen and let_go(other, RefundStatus.REFUSED, decision_note=GIVEN_OTHERWISE):
            free += other.amount_fen
    return free >= missing_fen
