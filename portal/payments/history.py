"""What a learner bought: pages of orders and licenses, and everything about one of them.

The owner is in the WHERE of every statement, so another's order is as absent as one that never was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa

from portal.catalogue.models import Product
from portal.kit import clock
from portal.kit.db import db, read, table_of
from portal.kit.errors import NotFound
from portal.learners.models import Learner
from portal.learners.sessions import Person
from portal.licenses.models import Entitlement, License
from portal.orders.models import AnyOrder, Order, OrderFacts, OrderStatus, RefundState
from portal.outbox.models import Job
from portal.payments.models import Payment, PaymentStatus
from portal.payments.queries import LicenseFacts, Purchase, mail_job_of, purchase_of

PAGE_SIZE = 20

Line = TypeVar("Line")


@dataclass(frozen=True)
class Page(Generic[Line]):
    """One page of a list, newest first. `number` counts from 1; a page past the end is empty."""

    lines: Sequence[Line]
    number: int
    total: int

    @property
    def count(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // PAGE_SIZE))


class OrderLine(NamedTuple):
    """What a list shows of an order, and the id of its license where it is made."""

    public_id: str
    title_zh: str
    title_en: str
    amount_fen: int
    status: str
    closing: str | None
    created_at: datetime
    expires_at: datetime
    refund_state: str | None
    license_id: str | None
    refunded_fen: int | None

    def title(self, locale: str) -> str:
        """Return the title in the language of `locale` (`en…`, else Chinese)."""
        return self.title_en if locale.startswith("en") else self.title_zh

    @property
    def state(self) -> str:
        """The order's state in one word; *confirming* while nobody knows yet whether money came."""
        return _state(self.status, self.closing, self.expires_at, self.refund_state, self.refunded_fen or 0)


def order_state(order: AnyOrder, refunded_fen: int) -> str:
    """Return the state of an order in one word of the checkout's vocabulary.

    Args:
        refunded_fen: what went back of the payment that bought it.
    """
    return _state(order.status, order.closing, order.expires_at, order.refund_state, refunded_fen)


_UNDER_WAY = {RefundState.PROCESSING.value: "refunding", RefundState.ABNORMAL.value: "refund_abnormal"}


def _state(
    status: str, closing: str | None, expires_at: datetime, refund_state: str | None, refunded_fen: int
) -> str:
    if refund_state in _UNDER_WAY:
        return _UNDER_WAY[refund_state]
    if status == OrderStatus.COMPLETED and refunded_fen:
        return "partially_refunded"
    if status == OrderStatus.PENDING and (closing is not None or clock.now() >= expires_at):
        return "confirming"
    return status


# Columns instead of mapped objects, and put together once: this page is read most.
_orders, _rights, _licenses = table_of(Order), table_of(Entitlement), table_of(License)
_payments = table_of(Payment)
_LINES = (
    sa.select(*(_orders.c[name] for name in OrderLine._fields[:-2]), _licenses.c.id, _payments.c.refunded_fen)
    .select_from(
        _orders.outerjoin(_rights, _rights.c.order_id == _orders.c.id)
        .outerjoin(_licenses, _licenses.c.active_key == _rights.c.id)
        .outerjoin(_payments, _payments.c.id == _rights.c.payment_id)
    )
    .where(_orders.c.learner_id == sa.bindparam("learner_id"))
    .order_by(_orders.c.created_at.desc(), _orders.c.id.desc())
    .limit(PAGE_SIZE)
    .offset(sa.bindparam("skipped"))
)
_HOW_MANY = sa.select(sa.func.count()).where(_orders.c.learner_id == sa.bindparam("learner_id"))


def orders_of(learner: Person, number: int = 1) -> Page[OrderLine]:
    """Return a page of the learner's orders."""
    rows = read(_LINES, {"learner_id": learner.id, "skipped": (number - 1) * PAGE_SIZE})
    lines = [OrderLine._make(row) for row in rows]
    return Page(lines, number, read(_HOW_MANY, {"learner_id": learner.id})[0][0])


def payable_orders_of(learner: Learner) -> list[Order]:
    """Return the orders that the learner can still pay, the oldest first."""
    query = (
        sa.select(Order)
        .where(
            Order.learner_id == learner.id,
            Order.status == OrderStatus.PENDING.value,
            Order.closing.is_(None),
            Order.expires_at > clock.now(),
        )
        .order_by(Order.created_at)
    )
    return list(db.session.scalars(query))


@dataclass(frozen=True)
class OrderHistory:
    """Everything about one order. `payments` are all attempts, oldest first; `paid` the one that counted."""

    purchase: Purchase
    payments: Sequence[Payment]
    mailing: Job | None

    @property
    def order(self) -> OrderFacts:
        """The order."""
        return self.purchase.order

    @property
    def license(self) -> LicenseFacts | None:
        """The license, once made."""
        return self.purchase.license

    @property
    def paid(self) -> Payment | None:
        """The first attempt that was paid."""
        return next((payment for payment in self.payments if payment.status == PaymentStatus.PAID), None)

    @property
    def state(self) -> str:
        """The order's state in one word of the checkout's vocabulary."""
        bought_by = self.purchase.bought_by
        if not self.order.is_paid and self.purchase.has_refund_due:
            return "refund_due"
        if not self.order.is_paid and self.purchase.returned_fen:
            return "refunded"
        return order_state(self.order, bought_by.refunded_fen if bought_by else 0)


def order_of(learner: Learner, public_id: str) -> OrderHistory:
    """Return one of the learner's orders with all that belongs to it.

    Raises:
        NotFound: when there is none, or it is another's.
    """
    purchase = purchase_of(learner, public_id)
    payments = db.session.scalars(
        sa.select(Payment).where(Payment.order_id == purchase.order.id).order_by(Payment.id)
    )
    mailing = mail_job_of(purchase.license.id) if purchase.license else None
    return OrderHistory(purchase, list(payments), mailing)


@dataclass(frozen=True)
class LicenseLine:
    """A license, its course, and the order and payment behind it; a granted one has neither."""

    license: License
    product: Product
    order: Order | None
    payment: Payment | None


def _license_lines(learner: Learner) -> Any:
    return (
        sa.select(License, Product, Order, Payment)
        .join(Product, Product.id == License.course_id)
        .join(Entitlement, Entitlement.id == License.entitlement_id)
        .outerjoin(Order, Order.id == Entitlement.order_id)
        .outerjoin(Payment, Payment.id == Entitlement.payment_id)
        .where(License.learner_id == learner.id)
        .order_by(License.issued_at.desc(), License.id)
    )


def licenses_page_of(learner: Learner, number: int = 1) -> Page[LicenseLine]:
    """Return a page of the learner's licenses."""
    query = _license_lines(learner).limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
    count = sa.select(sa.func.count()).select_from(License).where(License.learner_id == learner.id)
    lines = [LicenseLine(*row) for row in db.session.execute(query)]
    return Page(lines, number, db.session.scalar(count) or 0)


def all_licenses_of(learner: Learner) -> list[LicenseLine]:
    """Return all of the learner's licenses: a handful, for one course is owned once at a time."""
    return [LicenseLine(*row) for row in db.session.execute(_license_lines(learner))]


def license_line_of(learner: Learner, license_id: str) -> LicenseLine:
    """Return one of the learner's licenses with what stands behind it.

    Raises:
        NotFound: when there is none, or it is another's.
    """
    row = db.session.execute(_license_lines(learner).where(License.id == license_id)).first()
    if row is None:
        raise NotFound
    return LicenseLine(*row)
