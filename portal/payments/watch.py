"""Somebody watches the page of an order: WeChat is asked sooner, in case its notification was lost.

A poll never calls the gateway and writes next to nothing: it makes the worker's next look at the attempt due now,
if the last was more than 20 seconds ago. Each process remembers of an order when it is time to see to it again, and
until then its polls ask for nothing.
"""

import threading
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import read, table_of
from portal.orders.models import Order
from portal.outbox import services as outbox
from portal.payments.attempts import TRANSFER
from portal.payments.models import Payment, PaymentStatus

_LOOK_EVERY = timedelta(seconds=20)
_MOST_NOTED = 10_000

_due_at: dict[str, datetime] = {}
_lock = threading.Lock()


_orders, _payments = table_of(Order).c, table_of(Payment).c
_ATTEMPT = sa.select(_payments.id, _payments.queried_at, _payments.code_url_at).where(
    _orders.public_id == sa.bindparam("public_id"),
    _payments.open_key == _orders.id,
    _payments.status == PaymentStatus.OPEN.value,
    # Nobody can be asked about a transfer.
    _payments.gateway != TRANSFER,
)


def note_watcher(order_public_id: str, created_at: datetime) -> None:
    """Note that somebody waits for the money of an open order, placed at `created_at`."""
    now = clock.now()
    if now - created_at < _LOOK_EVERY or not _is_time(order_public_id, now):
        return
    for attempt in read(_ATTEMPT, {"public_id": order_public_id}):
        next_look_at = (attempt.queried_at or attempt.code_url_at) + _LOOK_EVERY
        if next_look_at <= now:
            outbox.hasten(f"watch_payment:{attempt.id}")
        else:
            _due_at[order_public_id] = next_look_at


def _is_time(order_public_id: str, now: datetime) -> bool:
    """Tell whether to see to an order; whoever is told so does it, and nobody else for as long as a look lasts."""
    with _lock:
        due_at = _due_at.get(order_public_id)
        # A clock that went back must not silence the watch.
        if due_at is not None and due_at - _LOOK_EVERY <= now < due_at:
            return False
        if len(_due_at) >= _MOST_NOTED:
            _due_at.clear()
        _due_at[order_public_id] = now + _LOOK_EVERY
    return True
