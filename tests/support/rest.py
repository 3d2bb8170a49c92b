"""Let a shop come to rest: the worker works on, from one due moment to the next, until nothing is left to do."""

from typing import Any

import sqlalchemy as sa

from portal import jobs
from portal.kit import clock as portal_clock
from portal.kit.db import db
from portal.orders.models import Order, OrderStatus
from portal.outbox.models import Job, JobStatus
from tests.support.shop import Shop

_MOST_ROUNDS = 400
_PROBE_SECONDS = 15


def _next_moment() -> Any:
    """Return the earliest moment at which work may be claimed or an order ends, or None."""
    waiting = sa.case((Job.lease_until > Job.due_at, Job.lease_until), else_=Job.due_at)
    work = sa.select(sa.func.min(waiting)).where(Job.status == JobStatus.PENDING.value)
    ends = sa.select(sa.func.min(Order.expires_at)).where(
        Order.status == OrderStatus.PENDING.value, Order.closing.is_(None)
    )
    moments = [moment for moment in (db.session.scalar(work), db.session.scalar(ends)) if moment is not None]
    return min(moments, default=None)


def come_to_rest(shop: Shop, clock: Any) -> None:
    """Go on in time until every order has its end and every piece of work is done.

    Raises:
        AssertionError: when there is always more to do.
    """
    with shop.app.app_context():
        for _ in range(_MOST_ROUNDS):
            jobs.sweep(shop.app.extensions["portal_tools"])
            moment = _next_moment()
            db.session.rollback()
            if moment is None:
                return
            wait = (moment - portal_clock.now()).total_seconds()
            # What is due and was not done waits for the breaker's next probe.
            clock.travel(seconds=wait + 0.001 if wait > 0 else _PROBE_SECONDS)
    raise AssertionError("never at rest")
