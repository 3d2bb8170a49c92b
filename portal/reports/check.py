"""Prove the counts: every day counted once more beside what is kept, and the whole rebuilt if wanted."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from portal.kit import beijing, clock
from portal.kit.db import db
from portal.ledger.models import LedgerEntry
from portal.orders.models import Order
from portal.reports.models import DailyOrders, DailySales
from portal.reports.recount import counted, recount


def all_days() -> list[date]:
    """Return every day from the first thing on record to today."""
    moments = [db.session.scalar(sa.select(sa.func.min(table.created_at))) for table in (Order, LedgerEntry)]
    days = [beijing.day_of(moment) for moment in moments if moment is not None]
    days += [
        day
        for table in (DailySales, DailyOrders)
        if (day := db.session.scalar(sa.select(sa.func.min(table.day)))) is not None
    ]
    return list(beijing.days_between(min(days), beijing.day_of(clock.now()))) if days else []


def rebuild() -> int:
    """Count every day anew, a transaction for each, and return how many; sales go on meanwhile."""
    days = all_days()
    for day in days:
        recount(day)
    return len(days)


def wrong_days() -> list[date]:
    """Return the days whose kept counts are not what ledger and orders say now.

    The days of the last minutes may be among them: what happened since the last round is not counted yet.
    """
    return [
        day
        for day in all_days()
        if any(_kept(table, day) != _rows(rows) for table, rows in counted(day).items())
    ]


def _kept(table: Any, day: date) -> set[tuple[Any, ...]]:
    columns = table.__table__.columns
    return {tuple(row) for row in db.session.execute(sa.select(*columns).where(table.day == day))}


def _rows(rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(row.values()) for row in rows}
