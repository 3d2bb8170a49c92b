"""A learner's transactions, filtered and counted: the list of the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm

from portal.kit.db import db
from portal.learners.models import Learner
from portal.licenses.models import Entitlement, License
from portal.orders.models import Order, OrderStatus
from portal.payments.models import Payment, PaymentStatus
from portal.payments.queries import refund_is_due

PAYMENT, REFUND = "payment", "refund"
REFUNDED = "refunded"


@dataclass(frozen=True)
class Wanted:
    """Which transactions, and which page of them. Days are in UTC and count themselves."""

    page: int = 1
    limit: int = 20
    type: str | None = None
    status: str | None = None
    date_from: date | None = None
    date_to: date | None = None


@dataclass(frozen=True)
class Transaction:
    """An order as a transaction; `paid` is the attempt that counted."""

    order: Order
    status: str
    gateway: str | None
    paid: Payment | None
    license_id: str | None


def _status() -> sa.ColumnElement[str]:
    """Return a transaction's status: the order's, unless its money bought nothing and goes back."""
    bought = (OrderStatus.PAID.value, OrderStatus.COMPLETED.value)
    return sa.case((sa.and_(refund_is_due(), Order.status.not_in(bought)), REFUNDED), else_=Order.status)


def _conditions(learner: Learner, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = [Order.learner_id == learner.id]
    if wanted.type == REFUND:
        # Money that went back is on no record of its own yet.
        found.append(sa.false())
    if wanted.status is not None:
        found.append(_status() == wanted.status)
    if wanted.date_from is not None:
        found.append(Order.created_at >= _midnight(wanted.date_from))
    if wanted.date_to is not None and wanted.date_to < date.max:
        found.append(Order.created_at < _midnight(wanted.date_to + timedelta(days=1)))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def transactions_of(learner: Learner, wanted: Wanted) -> tuple[Sequence[Transaction], int]:
    """Return a page of the learner's transactions, newest first, and how many match in all."""
    conditions = _conditions(learner, wanted)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(Order).where(*conditions)) or 0
    rows = db.session.execute(
        _rows()
        .where(*conditions)
        .order_by(Order.created_at.desc(), Order.id.desc())
        .limit(wanted.limit)
        .offset((wanted.page - 1) * wanted.limit)
        .execution_options(populate_existing=True)
    )
    return [Transaction(*row) for row in rows], total


def _rows() -> Any:
    attempt, first = sa.orm.aliased(Payment), sa.orm.aliased(Payment)
    gateway = sa.select(sa.func.min(attempt.gateway)).where(attempt.order_id == Order.id).scalar_subquery()
    paid = (
        sa.select(sa.func.min(first.id))
        .where(first.order_id == Order.id, first.status == PaymentStatus.PAID.value)
        .scalar_subquery()
    )
    return (
        sa.select(Order, _status(), gateway, Payment, License.id)
        .select_from(Order)
        .outerjoin(Payment, Payment.id == paid)
        .outerjoin(Entitlement, Entitlement.order_id == Order.id)
        .outerjoin(License, License.active_key == Entitlement.id)
    )
