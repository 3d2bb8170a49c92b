"""Count days anew from the ledger and the orders.

A day is counted whole and its rows are replaced, so counting it twice, or half and again, is harmless.
`counted_until` says up to which moment everything on record is in the counts. A transaction may commit a
little after the moment it wrote down, so each round begins a margin before it.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.kit import beijing, clock
from portal.kit.db import changed_one, db, transactional
from portal.ledger.models import LedgerEntry
from portal.ledger.services import SALES, UNAPPLIED
from portal.licenses.models import Entitlement
from portal.orders.models import Order, OrderStatus
from portal.payments.models import Payment
from portal.reports.models import DailyDelivery, DailyOrders, DailySales, ReportState

# A web request ends within 30 seconds and a worker's task within 120; the rest is for clocks that differ.
_MARGIN = timedelta(minutes=10)
_DAYS_AT_ONCE = 31
_STATE = "daily"
_DAY = timedelta(days=1)
_OPEN = (OrderStatus.PENDING.value, OrderStatus.PAID.value)

BOUNDS = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1800, 3600, 86_400)
"""Ends of the classes of times to a license, in seconds; 30 is the promise."""
LATER = 2_147_483_647
"""The class of everything later than the last bound."""


def bring_up_to_date() -> int:
    """Count the days that changed since the last time, at most about a month of them; return how many.

    After a long silence, or for the first time, the days are counted month by month, a month a round.
    """
    now, since = clock.now(), _since()
    if since is None:
        return 0
    today = beijing.day_of(now)
    first = min(beijing.day_of(since), today)
    recent = list(beijing.days_between(first, today))[:_DAYS_AT_ONCE]
    changed = _reopened(since, first) | _no_longer_open(first)
    for day in sorted(changed | set(recent)):
        recount(day)
    _note(min(now, beijing.begin_of(recent[-1] + _DAY)))
    return len(changed) + len(recent)


def _since() -> datetime | None:
    """Return the moment from which on anything may be new, None when nothing has ever happened."""
    done = counted_until()
    if done is not None:
        return done - _MARGIN
    firsts = [db.session.scalar(sa.select(sa.func.min(table.created_at))) for table in (Order, LedgerEntry)]
    return min((first for first in firsts if first is not None), default=None)


def counted_until() -> datetime | None:
    """Return the moment up to which everything is in the counts, None before the first round."""
    return db.session.scalar(sa.select(ReportState.counted_until).where(ReportState.name == _STATE))


def _reopened(since: datetime, before: date) -> set[date]:
    """Return the earlier days whose orders got money, or gave it back, since a moment."""
    placed = db.session.scalars(
        sa.select(Order.created_at)
        .join(LedgerEntry, LedgerEntry.order_id == Order.id)
        .where(LedgerEntry.created_at >= since, Order.created_at < beijing.begin_of(before))
    )
    return {beijing.day_of(moment) for moment in placed}


def _no_longer_open(before: date) -> set[date]:
    """Return the earlier days that were counted with more open orders than there are now."""
    counted = db.session.execute(
        sa.select(DailyOrders.day, sa.func.sum(DailyOrders.open_count))
        .where(DailyOrders.open_count > 0, DailyOrders.day < before)
        .group_by(DailyOrders.day)
    ).all()
    if not counted:
        return set()
    still_open = db.session.scalars(
        sa.select(Order.created_at).where(
            Order.status.in_(_OPEN), Order.created_at < beijing.begin_of(before)
        )
    )
    now = Counter(beijing.day_of(moment) for moment in still_open)
    return {day for day, count in counted if now[day] != count}


@transactional
def recount(day: date) -> None:
    """Replace the counts of a day by what ledger and orders say now."""
    _take_turn()
    for table, rows in counted(day).items():
        db.session.execute(sa.delete(table).where(table.day == day))
        if rows:
            db.session.execute(sa.insert(table), rows)


def counted(day: date) -> dict[Any, list[dict[str, Any]]]:
    """Return the rows of a day in each table of counts, from ledger and orders."""
    orders, delivery = _orders(day)
    return {DailySales: _sales(day), DailyOrders: orders, DailyDelivery: delivery}


def _take_turn() -> None:
    """Wait for whoever is counting; what is read afterwards is newer than what they wrote."""
    held = sa.update(ReportState).where(ReportState.name == _STATE).values(turns=ReportState.turns + 1)
    if not changed_one(db.session.execute(held)):
        db.session.execute(sa.insert(ReportState).values(name=_STATE, turns=1))


@transactional
def _note(until: datetime) -> None:
    db.session.execute(
        sa.update(ReportState)
        .where(
            ReportState.name == _STATE,
            sa.or_(ReportState.counted_until.is_(None), ReportState.counted_until < until),
        )
        .values(counted_until=until)
    )


def _within(column: Any, day: date) -> sa.ColumnElement[bool]:
    return sa.and_(column >= beijing.begin_of(day), column < beijing.begin_of(day + _DAY))


def _sales(day: date) -> list[dict[str, Any]]:
    def fen(condition: sa.ColumnElement[bool]) -> Any:
        return sa.func.sum(sa.case((condition, LedgerEntry.amount_fen), else_=0))

    def count(condition: sa.ColumnElement[bool]) -> Any:
        return sa.func.sum(sa.case((condition, 1), else_=0))

    sold, given_back = LedgerEntry.credit_account == SALES, LedgerEntry.debit_account == SALES
    sums = {
        "sold_fen": fen(sold),
        "sold_count": count(sold),
        "refunded_fen": fen(given_back),
        "refund_count": count(given_back),
        "unapplied_fen": fen(LedgerEntry.credit_account == UNAPPLIED),
        "returned_fen": fen(LedgerEntry.debit_account == UNAPPLIED),
    }
    rows = db.session.execute(
        sa.select(Order.product_id, *sums.values())
        .select_from(LedgerEntry)
        .outerjoin(Order, Order.id == LedgerEntry.order_id)
        .where(_within(LedgerEntry.created_at, day))
        .group_by(Order.product_id)
    )
    return [
        {"day": day, "product_id": row[0] or "", **dict(zip(sums, map(int, row[1:]), strict=True))}
        for row in rows
    ]


def _orders(day: date) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows = db.session.execute(
        sa.select(Order.product_id, Order.status, Order.paid_at, Order.completed_at, Payment.paid_at)
        .outerjoin(Entitlement, Entitlement.order_id == Order.id)
        .outerjoin(Payment, Payment.id == Entitlement.payment_id)
        .where(_within(Order.created_at, day))
    )
    placed: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    delivered: Counter[str] = Counter()
    still_open: Counter[str] = Counter()
    times: Counter[tuple[str, int]] = Counter()
    for product_id, status, paid_at, completed_at, money_came_at in rows:
        placed[product_id] += 1
        paid[product_id] += paid_at is not None
        delivered[product_id] += completed_at is not None
        still_open[product_id] += status in _OPEN
        if completed_at is not None and money_came_at is not None:
            times[product_id, class_of(completed_at - money_came_at)] += 1
    orders = [
        {
            "day": day,
            "product_id": product_id,
            "placed_count": count,
            "paid_count": paid[product_id],
            "delivered_count": delivered[product_id],
            "open_count": still_open[product_id],
        }
        for product_id, count in placed.items()
    ]
    return orders, list(_delivery(day, times.items()))


def _delivery(day: date, times: Iterable[tuple[tuple[str, int], int]]) -> Iterable[dict[str, Any]]:
    for (product_id, within_seconds), count in times:
        yield {"day": day, "product_id": product_id, "within_seconds": within_seconds, "count": count}


def class_of(duration: timedelta) -> int:
    """Return the class of a time from money to license, by its end in seconds.

    WeChat tells whole seconds of its own clock, so a quick license may seem to come before the money.
    """
    seconds = duration.total_seconds()
    return next((bound for bound in BOUNDS if seconds <= bound), LATER)
