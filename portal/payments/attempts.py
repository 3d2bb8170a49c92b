"""Attempts on record: put a new one there, find the one that can be paid, end one."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.gateways.base import PaymentRequest
from portal.kit import clock, ids
from portal.kit.db import add_row, changed_one, db
from portal.orders.models import Order
from portal.outbox import services as outbox
from portal.payments.models import Payment, PaymentStatus
from portal.tools import Tools

WECHAT_PAY = "wechat_pay"
TRANSFER = "transfer"
"""No gateway: money that people send to people. Nobody can be asked about it, and only a person confirms it."""
LIVE = (PaymentStatus.CREATED.value, PaymentStatus.OPEN.value)
_RESUME_AFTER = timedelta(seconds=8)
_LOOK_AGAIN_AFTER = timedelta(hours=1)


def live_attempt(order_id: int) -> Payment | None:
    """Return the attempt of an order that can still be paid."""
    return db.session.scalar(sa.select(Payment).where(Payment.open_key == order_id))


def add_attempt(order: Order, tag: str, tools: Tools) -> int:
    """Put an attempt and the work of opening it on record, in the running transaction; return its id.

    Args:
        order: an open order without a live attempt.
        tag: the buyer's mark, shown in WeChat beside the course.
    """
    gateway = tools.gateway(WECHAT_PAY)
    now = clock.now()
    out_trade_no = ids.new_out_trade_no(tools.settings.mode_letter, now)
    request = PaymentRequest(
        out_trade_no=out_trade_no,
        amount_fen=order.amount_fen,
        currency=order.currency,
        title=f"Learning Buddy · {order.title_zh}",
        tag=tag,
        expires_at=order.expires_at,
        notify_url=f"{tools.settings.PORTAL_BASE_URL}/notify/wechat",
    )
    payment_id: int = add_row(
        Payment,
        order_id=order.id,
        gateway=gateway.name,
        mode=order.mode,
        mchid=gateway.mchid,
        appid=gateway.appid,
        out_trade_no=out_trade_no,
        amount_fen=order.amount_fen,
        currency=order.currency,
        request=gateway.request_fields(request),
        status=PaymentStatus.CREATED.value,
        open_key=order.id,
        created_at=now,
    )
    outbox.add("open_payment", f"open_payment:{payment_id}", payment_id, due_at=now + _RESUME_AFTER)
    return payment_id


def end_attempt(payment_id: int, status: PaymentStatus, reason: str | None = None) -> None:
    """Mark a live attempt as never to be paid, in the running transaction, and drop the work of opening it.

    An hour later the gateway is asked once more, in case money came all the same; a transfer has none to ask.
    """
    values: dict[str, Any] = {
        "status": status.value,
        "open_key": None,
        "call_until": None,
        "closed_at": clock.now(),
    }
    if reason is not None:
        values["failure_code"] = reason[:64]
    ended = db.session.execute(
        sa.update(Payment)
        .where(
            Payment.id == payment_id,
            Payment.status.in_(LIVE),
        )
        .values(**values)
    )
    outbox.settle_effect(f"open_payment:{payment_id}")
    is_told_by_people = sa.select(Payment.id).where(Payment.id == payment_id, Payment.gateway == TRANSFER)
    if changed_one(ended) and db.session.scalar(is_told_by_people) is None:
        outbox.add(
            "look_again", f"look_again:{payment_id}", payment_id, due_at=clock.now() + _LOOK_AGAIN_AFTER
        )
