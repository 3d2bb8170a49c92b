"""Somebody watches the page of an order: WeChat is asked sooner, in case its notification was lost.

A poll never calls the gateway and writes next to nothing: it makes the worker's next look at the attempt due now,
if the last was more than 20 seconds ago. Between two looks the database is asked once in five seconds at most,
by each process and order.
"""

import threading
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import db
from portal.orders.models import Order
from portal.outbox import services as outbox
from portal.payments.models import Payment, PaymentStatus

_LOOK_EVERY = timedelta(seconds=20)
_NOTED_EVERY = timedelta(seconds=5)
_MOST_NOTED = 10_000

_noted: dict[str, datetime] = {}
_lock = threading.Lock()


def note_watcher(order_public_id: str, created_at: datetime) -> None:
    """Note that somebody waits for the money of an open order, placed at `created_at`."""
    if clock.now() - created_at < _LOOK_EVERY or not _is_news(order_public_id):
        return
    attempt = db.session.execute(
        sa.select(Payment.id, Payment.queried_at, Payment.code_url_at)
        .join(Order, Payment.open_key == Order.id)
        .where(Order.public_id == order_public_id, Payment.status == PaymentStatus.OPEN.value)
    ).first()
    if attempt is None:
        return
    looked_at = attempt.queried_at or attempt.code_url_at
    if clock.now() - looked_at >= _LOOK_EVERY:
        outbox.hasten(f"watch_payment:{attempt.id}")


def _is_news(order_public_id: str) -> bool:
    now = clock.now()
    with _lock:
        last = _noted.get(order_public_id)
        if last is not None and abs(now - last) < _NOTED_EVERY:
            return False
        if len(_noted) >= _MOST_NOTED:
            _noted.clear()
        _noted[order_public_id] = now
    return True
