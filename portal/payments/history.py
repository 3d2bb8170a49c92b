"""What a learner bought: pages of orders and licenses, and everything about one of them.

The owner is in the WHERE of every statement, so another's order is as absent as one that never was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from portal.catalogue.models import Product
from portal.kit import clock
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.learners.models import Learner
from portal.licenses.models import Entitlement, License
from portal.orders.models import Order, OrderStatus
from portal.outbox.models import Job
from portal.payments.models import Payment, PaymentStatus
from portal.payments.queries import Purchase, mail_job_of, purchase_of

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


@dataclass(frozen=True)
class OrderLine:
    """An order in a list, and the id of its license where it is made."""

    order: Order
    license_id: str | None

    @property
    def state(self) -> str:
        """The order's state in one word; *confirming* while nobody knows yet whether money came."""
        return order_state(self.order)


def order_state(order: Order) -> str:
    """Return the state of an order in one word of the checkout's vocabulary."""
    is_ending = order.closing is not None or order.is_past_deadline
    return "confirming" if order.is_open and is_ending else order.status


def _lines(query: Any, number: int) -> Any:
    return db.session.execute(query.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE))


def _count(table: type[Order] | type[License], learner: Learner) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(table.learner_id == learner.id)
    return db.session.scalar(query) or 0


def orders_of(learner: Learner, number: int = 1) -> Page[OrderLine]:
    """Return a page of the learner's orders."""
    query = (
        sa.select(Order, License.id)
        .outerjoin(Entitlement, Entitlement.order_id == Order.id)
        .outerjoin(License, License.active_key == Entitlement.id)
        .where(Order.learner_id == learner.id)
        .order_by(Order.created_at.desc(), Order.id.desc())
    )
    lines = [OrderLine(order, license_id) for order, license_id in _lines(query, number)]
    return Page(lines, number, _count(Order, learner))


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
    def order(self) -> Order:
        """The order."""
        return self.purchase.order

    @property
    def license(self) -> License | None:
        """The license, once made."""
        return self.purchase.license

    @property
    def paid(self) -> Payment | None:
        """The first attempt that was paid."""
        return next((payment for payment in self.payments if payment.status == PaymentStatus.PAID), None)

    @property
    def state(self) -> str:
        """The order's state in one word of the checkout's vocabulary."""
        is_owed_back = self.purchase.has_refund_due and not self.order.is_paid
        return "refund_due" if is_owed_back else order_state(self.order)


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
    lines = [LicenseLine(*row) for row in _lines(_license_lines(learner), number)]
    return Page(lines, number, _count(License, learner))


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
