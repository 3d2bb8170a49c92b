"""Today at a glance: one indexed read for each number."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from portal.cases.models import Case, CaseKind, CaseStatus
from portal.kit import beijing, clock
from portal.kit.db import db
from portal.orders.models import Order, OrderStatus
from portal.reconciliation.models import BillRun
from portal.refunds.models import Refund, RefundStatus
from portal.reports.queries import Grain, Sales, Wanted, sales_by_time
from portal.reports.recount import counted_until


@dataclass(frozen=True)
class Orders:
    """What orders wait for. `late_since` is when the oldest was paid that has no license yet."""

    waiting: int
    undelivered: int
    late_since: datetime | None


def sales_of_today(courses: Collection[str] | None) -> tuple[Sales, datetime | None]:
    """Return today's sales as far as they are counted, and the moment up to which they are."""
    today = beijing.day_of(clock.now())
    (sales,) = sales_by_time(Wanted(today, today, courses), Grain.DAY).values()
    return sales, counted_until()


def orders_at_work(courses: Collection[str] | None) -> Orders:
    """Return how many orders wait for money, and how many for their license: few at any time, by their index."""
    undelivered = _of(Order.status == OrderStatus.PAID.value, courses)
    oldest = db.session.scalar(sa.select(sa.func.min(Order.paid_at)).where(*undelivered))
    waiting = _of(Order.status == OrderStatus.PENDING.value, courses)
    return Orders(_count(Order, *waiting), _count(Order, *undelivered), oldest)


def _of(condition: sa.ColumnElement[bool], courses: Collection[str] | None) -> list[sa.ColumnElement[bool]]:
    return [condition] if courses is None else [condition, Order.product_id.in_(courses)]


def refunds_to_approve() -> int:
    """Return how many refunds wait for somebody's word."""
    return _count(Refund, Refund.status == RefundStatus.REQUESTED.value)


def last_bill_day() -> date | None:
    """Return the newest day whose bill was taken up."""
    return db.session.scalar(sa.select(sa.func.max(BillRun.bill_date)))


def open_cases() -> int:
    """Return how many cases nobody has closed."""
    return _count(Case, Case.status == CaseStatus.OPEN.value)


def dead_letters() -> int:
    """Return how many pieces of work failed so often that a person has to decide, and nobody has."""
    return _count(Case, Case.status == CaseStatus.OPEN.value, Case.kind == CaseKind.DEAD_LETTER.value)


def _count(table: Any, *conditions: sa.ColumnElement[bool]) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(table).where(*conditions)) or 0
