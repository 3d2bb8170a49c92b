"""A learner's transactions, what was bought and what went back, filtered and counted: the list of the API."""

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
from portal.refunds.models import Refund, RefundStatus

PAYMENT, REFUND = "payment", "refund"
REFUNDED = "refunded"
_REFUND_STATES = {
    RefundStatus.APPROVED: "pending",
    RefundStatus.PROCESSING: "pending",
    RefundStatus.ABNORMAL: "pending",
    RefundStatus.SUCCEEDED: REFUNDED,
    RefundStatus.CLOSED: "failed",
}
"""How a refund is told. One that waits for a decision, or was not accepted, is no movement of money."""


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
    """An order, or with `refund` what went back for it; `paid` is the attempt that counted."""

    order: Order
    status: str
    gateway: str | None
    paid: Payment | None
    license_id: str | None
    refund: Refund | None = None


def _order_status() -> sa.ColumnElement[str]:
    """Return the status of a purchase: the order's, unless its money bought nothing and goes or went back."""
    bought = (OrderStatus.PAID.value, OrderStatus.COMPLETED.value, OrderStatus.REFUNDED.value)
    returned = sa.exists().where(Payment.order_id == Order.id, Payment.refunded_fen > 0)
    owed = sa.and_(sa.or_(refund_is_due(), returned), Order.status.not_in(bought))
    return sa.case((owed, REFUNDED), else_=Order.status)


def _refund_status() -> sa.ColumnElement[str]:
    return sa.case(*((Refund.status == status.value, word) for status, word in _REFUND_STATES.items()))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _matching(learner: Learner, wanted: Wanted) -> sa.Subquery:
    """Return what matches: the kind, the row's id, its moment and its status."""
    purchases = sa.select(
        sa.literal(PAYMENT).label("kind"),
        Order.id.label("id"),
        Order.created_at,
        _order_status().label("status"),
    ).where(Order.learner_id == learner.id)
    returns = (
        sa.select(
            sa.literal(REFUND).label("kind"),
            Refund.id.label("id"),
            Refund.created_at,
            _refund_status().label("status"),
        )
        .join(Order, Order.id == Refund.order_id)
        .where(Order.learner_id == learner.id, Refund.status.in_([status.value for status in _REFUND_STATES]))
    )
    kinds = {PAYMENT: [purchases], REFUND: [returns]}.get(wanted.type or "", [purchases, returns])
    found = sa.union_all(*kinds).subquery()
    query = sa.select(found)
    if wanted.status is not None:
        query = query.where(found.c.status == wanted.status)
    if wanted.date_from is not None:
        query = query.where(found.c.created_at >= _midnight(wanted.date_from))
    if wanted.date_to is not None and wanted.date_to < date.max:
        query = query.where(found.c.created_at < _midnight(wanted.date_to + timedelta(days=1)))
    return query.subquery()


def transactions_of(learner: Learner, wanted: Wanted) -> tuple[Sequence[Transaction], int]:
    """Return a page of the learner's transactions, newest first, and how many match in all."""
    found = _matching(learner, wanted)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(found)) or 0
    rows = db.session.execute(
        sa.select(found.c.kind, found.c.id, found.c.status)
        .order_by(found.c.created_at.desc(), found.c.kind.desc(), found.c.id.desc())
        .limit(wanted.limit)
        .offset((wanted.page - 1) * wanted.limit)
    ).all()
    purchases = _purchases([row.id for row in rows if row.kind == PAYMENT])
    returns = _returns([row.id for row in rows if row.kind == REFUND])
    return [
        _purchase(purchases[row.id], row.status)
        if row.kind == PAYMENT
        else _return(returns[row.id], row.status)
        for row in rows
    ], total


def _purchase(row: Any, status: str) -> Transaction:
    order, gateway, paid, license_id = row
    return Transaction(order, status, gateway, paid, license_id)


def _return(row: Any, status: str) -> Transaction:
    order, paid, refund = row
    return Transaction(order, status, refund.gateway, paid, None, refund)


def _purchases(ids: list[int]) -> dict[int, Any]:
    attempt, first = sa.orm.aliased(Payment), sa.orm.aliased(Payment)
    gateway = sa.select(sa.func.min(attempt.gateway)).where(attempt.order_id == Order.id).scalar_subquery()
    paid = (
        sa.select(sa.func.min(first.id))
        .where(first.order_id == Order.id, first.status == PaymentStatus.PAID.value)
        .scalar_subquery()
    )
    query = (
        sa.select(Order, gateway, Payment, License.id)
        .select_from(Order)
        .outerjoin(Payment, Payment.id == paid)
        .outerjoin(Entitlement, Entitlement.order_id == Order.id)
        .outerjoin(License, License.active_key == Entitlement.id)
        .where(Order.id.in_(ids))
    )
    return {row[0].id: row for row in _fresh(query)} if ids else {}


def _returns(ids: list[int]) -> dict[int, Any]:
    query = (
        sa.select(Order, Payment, Refund)
        .join(Payment, Payment.id == Refund.payment_id)
        .join(Order, Order.id == Refund.order_id)
        .where(Refund.id.in_(ids))
    )
    return {row[2].id: row for row in _fresh(query)} if ids else {}


def _fresh(query: Any) -> Any:
    return db.session.execute(query.execution_options(populate_existing=True))
