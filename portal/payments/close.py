"""Ask the gateway about an attempt, and end orders: never before the gateway has.

An order that is to be cancelled or has expired is first marked `closing`; then the gateway is asked, its
order is closed, and only a verified "closed" moves ours. If the money wins the race, the order is paid.
"""

import logging
from datetime import timedelta

import sqlalchemy as sa

from portal.audit import services as audit
from portal.gateways.base import (
    Gateway,
    GatewayError,
    GatewayRejected,
    GatewayUnknown,
    NumberSpent,
    PaymentState,
)
from portal.kit import clock, faults
from portal.kit.db import changed_one, db, transactional
from portal.orders.models import AnyOrder, Order, OrderStatus
from portal.orders.services import begin_closing, move_order
from portal.outbox import services as outbox
from portal.payments.attempts import LIVE, TRANSFER, end_attempt, live_attempt
from portal.payments.models import Payment, PaymentStatus, Verdict, VerifiedBy
from portal.payments.open import open_payment
from portal.payments.settle import lock_payment, settle_payment
from portal.switchboard.hold import is_on_hold
from portal.tools import Tools

log = logging.getLogger(__name__)

_QUERY_PACE = timedelta(seconds=5)


def check_order(order: AnyOrder, tools: Tools) -> bool:
    """Really ask the gateway whether an order was paid, at most once in 5 seconds however many ask.

    An attempt without a code is opened instead. Returns whether the gateway gave an answer now.
    """
    if order.closing or order.is_past_deadline:
        start_closing(order, OrderStatus.EXPIRED, audit.SYSTEM)
        return close_order(order.id, tools)
    payment = live_attempt(order.id)
    if payment is None or payment.gateway == TRANSFER:
        return True
    if not _may_call(payment.id):
        return False
    if payment.status == PaymentStatus.CREATED:
        return open_payment(payment.id, tools)
    try:
        notice = tools.gateway(payment.gateway).query_payment(payment.out_trade_no)
    except GatewayError:
        return False
    faults.point("watch.after_call")
    settle_payment(notice, VerifiedBy.QUERY, tools)
    if notice.state is PaymentState.CLOSED:
        # Closed by somebody else, in the merchant's console perhaps: our order ends too.
        start_closing(order, OrderStatus.EXPIRED, audit.SYSTEM)
        finish_closing(payment.out_trade_no)
    return True


def look_at_payment(payment_id: int, tools: Tools) -> bool:
    """Ask about an attempt whose notification may be lost; return whether it needs no more looking at.

    The end of its order is another job's: from the deadline on, or once it closes, this one is done.
    """
    payment = db.session.get(Payment, payment_id, populate_existing=True)
    if payment is None or payment.status != PaymentStatus.OPEN:
        return True
    order = db.session.get_one(Order, payment.order_id, populate_existing=True)
    if not order.is_open or order.closing or order.is_past_deadline:
        return True
    faults.point("watch.before_call")
    check_order(order, tools)
    faults.point("watch.after_settle")
    return db.session.scalar(sa.select(Payment.status).where(Payment.id == payment_id)) != PaymentStatus.OPEN


def look_again(payment_id: int, tools: Tools) -> bool:
    """Ask about an attempt that ended unpaid an hour ago: money that came all the same is settled, or a case.

    Returns whether the gateway gave an answer.
    """
    payment = db.session.get(Payment, payment_id, populate_existing=True)
    if payment is None or payment.status == PaymentStatus.PAID:
        return True
    try:
        notice = tools.gateway(payment.gateway).query_payment(payment.out_trade_no)
    except GatewayError:
        return False
    faults.point("again.after_call")
    settle_payment(notice, VerifiedBy.QUERY, tools)
    return True


@transactional
def _may_call(payment_id: int) -> bool:
    now = clock.now()
    taken = db.session.execute(
        sa.update(Payment)
        .where(
            Payment.id == payment_id,
            sa.or_(Payment.queried_at.is_(None), Payment.queried_at <= now - _QUERY_PACE),
        )
        .values(queried_at=now)
    )
    return changed_one(taken)


@transactional
def start_closing(order: AnyOrder, how: OrderStatus, actor: str, reason: str | None = None) -> bool:
    """Mark a pending order as closing and put the work on record; return whether it was open.

    Args:
        reason: why, in the words of whoever asked.
    """
    if not begin_closing(order.id, how):
        return False
    outbox.add("close_order", f"close_order:{order.id}", order.id)
    facts = {"reason": reason} if reason else {}
    audit.record(f"order.{how.value}_asked", f"order:{order.public_id}", actor, **facts)
    return True


def close_order(order_id: int, tools: Tools) -> bool:
    """Bring a closing order to its end at the gateway and here; return whether it has one.

    False means UNKNOWN, or on hold: the order stays closing and the outbox asks again.
    """
    faults.point("close.after_mark")
    payment = live_attempt(order_id)
    if payment is None or payment.gateway == TRANSFER:
        return _close_here(order_id, payment)
    if not _may_call(payment.id):
        return False
    gateway = tools.gateway(payment.gateway)
    try:
        verdict = _end_at_gateway(gateway, payment, tools)
    except GatewayUnknown as error:
        log.warning("close not confirmed", extra={"out_trade_no": payment.out_trade_no, "why": error.reason})
        return False
    except GatewayRejected as error:
        log.error(
            "close refused", extra={"alert": True, "out_trade_no": payment.out_trade_no, "why": error.reason}
        )
        return False
    faults.point("close.after_call")
    if verdict in (None, Verdict.CASE):
        finish_closing(payment.out_trade_no)
    faults.point("close.after_store")
    return True


def _end_at_gateway(gateway: Gateway, payment: Payment, tools: Tools) -> Verdict | None:
    """Query, then close; return the verdict on money found, None when closed without any, or never ordered.

    Raises:
        GatewayUnknown, GatewayRejected: not known to be closed; on hold nothing is.
    """
    for _ in range(2):
        notice = gateway.query_payment(payment.out_trade_no)
        if notice.state is PaymentState.PAID:
            return settle_payment(notice, VerifiedBy.QUERY, tools)
        if notice.state is PaymentState.CLOSED:
            return None
        if is_on_hold():
            raise GatewayUnknown("on hold")
        faults.point("close.between_calls")
        try:
            gateway.close_payment(payment.out_trade_no)
        except NumberSpent:
            # Paid or closed between the two calls: ask once more, its word decides.
            continue
        return None
    if notice.state is PaymentState.NOT_FOUND:
        # What was never ordered there cannot be closed there either (whether WeChat Pay minds is not documented). An
        # order call still on its way would be paid late, and such money is honoured or becomes a case.
        return None
    raise GatewayUnknown("neither open nor closed nor paid")


@transactional
def finish_closing(out_trade_no: str) -> None:
    """End an attempt that the gateway has verifiably closed, and its order when nothing else can pay it.

    An order that was settled meanwhile stays as it is. One whose money became a case is still open, and ends.
    """
    row = lock_payment(out_trade_no)
    if row is None:
        return
    if row.status in LIVE:
        end_attempt(row.id, PaymentStatus.CLOSED)
    if row.order_status == OrderStatus.PENDING and live_attempt(row.order_id) is None:
        _end_order(row.order_id, row.order_public_id, OrderStatus(row.closing or OrderStatus.EXPIRED))


def _end_order(order_id: int, public_id: str, target: OrderStatus) -> None:
    move_order(order_id, target, closed_at=clock.now())
    outbox.settle_effect(f"close_order:{order_id}")
    audit.record(f"order.{target.value}", f"order:{public_id}", audit.SYSTEM)


def _close_here(order_id: int, transfer: Payment | None) -> bool:
    """End an order that no gateway knows of; not on hold, when what was begun or confirmed since may be forgotten."""
    if is_on_hold():
        return False
    if transfer is not None:
        finish_closing(transfer.out_trade_no)
        return True
    return _close_without_attempt(order_id)


@transactional
def _close_without_attempt(order_id: int) -> bool:
    order = db.session.get(Order, order_id, populate_existing=True)
    if order is not None and order.is_open:
        _end_order(order.id, order.public_id, OrderStatus(order.closing or OrderStatus.EXPIRED))
    return True
