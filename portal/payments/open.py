"""Open an attempt at its gateway: get the code to scan, or deal with the answer that is none.

A repeat sends the stored request under the same number. Only one may ask at a time, because ordering again
makes a new code and kills the one before.
"""

from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.gateways.base import GatewayRejected, GatewayUnknown, NumberSpent, PaymentNotice, PaymentState
from portal.gateways.breaker import longest_wait
from portal.kit import clock, faults
from portal.kit.db import changed_one, db, run, table_of, transactional
from portal.learners.models import Learner
from portal.orders.models import Order, OrderStatus
from portal.orders.services import move_order, touch
from portal.outbox import services as outbox
from portal.payments.attempts import LIVE, add_attempt, end_attempt
from portal.payments.models import Payment, PaymentStatus, VerifiedBy
from portal.payments.qr import draw_qr
from portal.payments.settle import lock_payment, settle_payment
from portal.switchboard.hold import not_on_hold
from portal.tools import Tools

# A call ends within 10 s of its turn. Longer than that, nobody can be in the middle of one.
_CALL_LEASE = timedelta(seconds=12)
# A notification may be lost: WeChat is asked by itself, first after 30 s, until the order ends.
_FIRST_LOOK = timedelta(seconds=30)


class Attempt(NamedTuple):
    """What opening an attempt needs to know of it."""

    id: int
    order_id: int
    gateway: str
    out_trade_no: str
    request: dict[str, Any]
    failure_code: str | None


_payments = table_of(Payment).c
_IS_UNOPENED = sa.and_(
    _payments.id == sa.bindparam("payment"), _payments.status == PaymentStatus.CREATED.value
)
_TAKE_CALL = sa.update(table_of(Payment)).where(
    _IS_UNOPENED,
    sa.or_(_payments.call_until.is_(None), _payments.call_until <= sa.bindparam("now")),
    not_on_hold(),
)
_ATTEMPT = sa.select(*(_payments[name] for name in Attempt._fields)).where(
    _payments.id == sa.bindparam("payment")
)
_STORE_CODE = (
    sa.update(table_of(Payment))
    .where(_IS_UNOPENED)
    .values(status=PaymentStatus.OPEN.value, call_until=None, failure_code=None)
)


@transactional
def _take_call(payment_id: int) -> Attempt | None:
    """Take the right to order at the gateway; None when the code is there, another is asking, or the portal is on hold.

    Ordering again makes a new code and kills the one before, so two must not ask at once.
    """
    now = clock.now()
    until = now + longest_wait() + _CALL_LEASE
    if not changed_one(run(_TAKE_CALL, {"payment": payment_id, "now": now, "call_until": until})):
        return None
    return Attempt._make(run(_ATTEMPT, {"payment": payment_id}).one())


def open_payment(payment_id: int, tools: Tools) -> bool:
    """Get the `code_url` of an attempt and keep it; return whether the attempt needs no more asking.

    Never raises for what a gateway does: UNKNOWN is noted and asked again under the same number.
    """
    payment = _take_call(payment_id)
    if payment is None:
        return _status(payment_id) != PaymentStatus.CREATED
    faults.point("order.before_call")
    try:
        code_url = tools.gateway(payment.gateway).create_payment(payment.request)
    except GatewayUnknown as error:
        _note_failure(payment, error.reason)
        return False
    except NumberSpent as error:
        return _resolve_spent(payment, error.reason, tools)
    except GatewayRejected as error:
        _reject(payment, error.reason)
        return True
    faults.point("order.after_call")
    _store_code(payment, code_url, draw_qr(code_url))
    faults.point("order.after_store")
    return True


def _status(payment_id: int) -> str | None:
    return db.session.scalar(sa.select(Payment.status).where(Payment.id == payment_id))


@transactional
def _store_code(payment: Attempt, code_url: str, qr_svg: str) -> None:
    now = clock.now()
    code = {"code_url": code_url, "code_url_at": now, "qr_svg": qr_svg}
    if changed_one(run(_STORE_CODE, {"payment": payment.id, **code})):
        touch(payment.order_id)
        outbox.add("watch_payment", f"watch_payment:{payment.id}", payment.id, due_at=now + _FIRST_LOOK)
    outbox.settle_effect(f"open_payment:{payment.id}")


@transactional
def _note_failure(payment: Attempt, reason: str) -> None:
    first = payment.failure_code is None
    db.session.execute(
        sa.update(Payment)
        .where(Payment.id == payment.id, Payment.status == PaymentStatus.CREATED.value)
        .values(failure_code=reason[:64], call_until=None)
    )
    if first:
        touch(payment.order_id)
    outbox.hasten(f"open_payment:{payment.id}", after_seconds=3)


@transactional
def _reject(payment: Attempt, reason: str) -> None:
    """End an order that the gateway will not open; no code was ever shown, so nobody can have paid."""
    row = lock_payment(payment.out_trade_no)
    if row.status != PaymentStatus.CREATED:
        return
    end_attempt(payment.id, PaymentStatus.REJECTED, reason)
    if row.order_status == OrderStatus.PENDING:
        move_order(payment.order_id, OrderStatus.FAILED, closed_at=clock.now())
    open_case(
        CaseKind.GATEWAY_REJECTED,
        payment.out_trade_no,
        {"reason": reason, "out_trade_no": payment.out_trade_no},
        order_id=payment.order_id,
        payment_id=payment.id,
    )


def _resolve_spent(payment: Attempt, reason: str, tools: Tools) -> bool:
    """The gateway says, unsigned, that the number is spent: a query decides.

    Paid: settle. Closed, or open with other parameters (then closed first): a new attempt. Unknown to the
    gateway after all: it refuses the request itself.
    """
    gateway = tools.gateway(payment.gateway)
    try:
        notice = gateway.query_payment(payment.out_trade_no)
        if notice.state is PaymentState.PENDING:
            gateway.close_payment(payment.out_trade_no)
            notice = PaymentNotice(
                gateway.name, gateway.mchid, gateway.appid, payment.out_trade_no, PaymentState.CLOSED
            )
    except (GatewayUnknown, GatewayRejected, NumberSpent) as error:
        _note_failure(payment, error.reason)
        return False
    if notice.state is PaymentState.PAID:
        settle_payment(notice, VerifiedBy.QUERY, tools)
        return True
    if notice.state is PaymentState.NOT_FOUND:
        _reject(payment, reason)
        return True
    _replace_attempt(payment, tools)
    return True


@transactional
def _replace_attempt(payment: Attempt, tools: Tools) -> None:
    """Close an attempt that the gateway closed, and put a new one on record while the order is open."""
    row = lock_payment(payment.out_trade_no)
    if row.status not in LIVE:
        return
    end_attempt(payment.id, PaymentStatus.CLOSED)
    order = db.session.get(Order, payment.order_id, populate_existing=True)
    if order is None or not order.is_open or order.closing or order.is_past_deadline:
        return
    learner = db.session.get_one(Learner, order.learner_id)
    new_id = add_attempt(order, learner.tag, tools)
    outbox.hasten(f"open_payment:{new_id}")
    touch(order.id)
