"""Reads about refunds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm

from portal.kit import clock
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.learners.models import Learner
from portal.ledger.services import SALES, payments_credited_to
from portal.orders.models import AnyOrder, Order, OrderStatus
from portal.payments.attempts import TRANSFER
from portal.payments.models import Payment, PaymentStatus
from portal.refunds.models import LicenseEffect, Refund, RefundStatus
from portal.refunds.request import APART, LONGEST, MOST_PARTS

_NEVER_HAPPENED = (RefundStatus.REFUSED.value, RefundStatus.WITHDRAWN.value)


def refunds_of_order(order_id: int) -> Sequence[Refund]:
    """Return the refunds of an order that the caller has found to be the learner's, oldest first."""
    query = sa.select(Refund).where(Refund.order_id == order_id).order_by(Refund.id)
    return db.session.scalars(query.execution_options(populate_existing=True)).all()


@dataclass(frozen=True)
class Refundable:
    """A payment and what of it can still be given back. Amounts in fen."""

    payment: Payment
    order: Order
    is_purchase: bool
    """Whether it bought its order; else the money waits for its way back and no license hangs on it."""
    parts: int
    next_at: datetime | None
    """The earliest moment of another part, None when it is now."""

    @property
    def remaining_fen(self) -> int:
        """What is neither given back nor held by another refund."""
        return self.payment.amount_fen - self.payment.reserved_fen

    @property
    def until(self) -> datetime:
        """The last moment that the gateway gives this payment back."""
        return (self.payment.paid_at or self.payment.created_at) + LONGEST

    @property
    def parts_left(self) -> int:
        """How many more parts there may be."""
        return max(0, MOST_PARTS - self.parts)

    @property
    def is_by_hand(self) -> bool:
        """Tell whether people give it back, and no gateway with its limits."""
        return self.payment.gateway == TRANSFER

    @property
    def is_possible(self) -> bool:
        """Tell whether a refund can be asked for now."""
        if self.is_by_hand:
            return self.remaining_fen > 0
        return bool(self.remaining_fen and self.parts_left and clock.now() < self.until)

    def effect_of(self, amount_fen: int, wished: LicenseEffect) -> LicenseEffect:
        """Return what becomes of the license when so much is given back: said before the button is pressed."""
        if not self.is_purchase:
            return LicenseEffect.KEEP
        return LicenseEffect.REVOKE if amount_fen == self.remaining_fen else wished


def refundables_of(order_id: int) -> list[Refundable]:
    """Return the payments of an order that were paid, the one that bought it first."""
    payments = db.session.execute(
        sa.select(Payment, Order, Payment.id.in_(payments_credited_to(SALES)))
        .join(Order, Order.id == Payment.order_id)
        .where(Payment.order_id == order_id, Payment.status == PaymentStatus.PAID.value)
        .order_by(Payment.id)
        .execution_options(populate_existing=True)
    ).all()
    found = [_refundable(payment, order, bool(is_purchase)) for payment, order, is_purchase in payments]
    return sorted(found, key=lambda one: not one.is_purchase)


@dataclass(frozen=True)
class GivingBack:
    """A payment of which something can go back, as the page for that is told of it."""

    order: str
    payment: str
    transaction_id: str


def possible_for(payment_ids: Iterable[int]) -> dict[int, GivingBack]:
    """Return, by id, those of the payments that were paid and of which something is left."""
    rows = db.session.execute(
        sa.select(Payment.id, Order.public_id, Payment.out_trade_no, Payment.transaction_id)
        .join(Order, Order.id == Payment.order_id)
        .where(
            Payment.id.in_(set(payment_ids)),
            Payment.status == PaymentStatus.PAID.value,
            Payment.reserved_fen < Payment.amount_fen,
        )
    )
    return {row.id: GivingBack(row.public_id, row.out_trade_no, row.transaction_id) for row in rows}


def _refundable(payment: Payment, order: Order, is_purchase: bool) -> Refundable:
    parts, latest = db.session.execute(
        sa.select(sa.func.count(), sa.func.max(Refund.created_at)).where(
            Refund.payment_id == payment.id, Refund.status.not_in(_NEVER_HAPPENED)
        )
    ).one()
    is_soon = latest is not None and clock.now() < latest + APART and payment.gateway != TRANSFER
    next_at = latest + APART if is_soon else None
    return Refundable(payment, order, is_purchase, parts, next_at)


def may_learner_ask(order: AnyOrder, refundables: Sequence[Refundable]) -> bool:
    """Tell whether the order's page offers the learner to ask for the money back."""
    if order.status not in (OrderStatus.PAID, OrderStatus.COMPLETED):
        return False
    return any(one.is_purchase and one.is_possible for one in refundables)


def refund_rows(status: RefundStatus | None, before: int | None, limit: int) -> Sequence[Any]:
    """Return refunds with their order and the buyer's e-mail address, newest first.

    Args:
        status: only those that stand so.
        before: only those with a smaller row id: the next page.
    """
    query = _rows().order_by(Refund.id.desc()).limit(limit)
    if status is not None:
        query = query.where(Refund.status == status.value)
    if before is not None:
        query = query.where(Refund.id < before)
    return db.session.execute(query).all()


def refund_row(out_refund_no: str) -> Any:
    """Return one refund with its payment, its order and the buyer's e-mail address.

    Raises:
        NotFound: there is no such refund.
    """
    row = db.session.execute(_rows().where(Refund.out_refund_no == out_refund_no)).first()
    if row is None:
        raise NotFound
    return row


def _rows() -> Any:
    return (
        sa.select(Refund, Payment, Order, Learner.email.label("email"))
        .join(Payment, Payment.id == Refund.payment_id)
        .join(Order, Order.id == Refund.order_id)
        .join(Learner, Learner.id == Order.learner_id)
        .options(sa.orm.defer(Payment.qr_svg), sa.orm.defer(Payment.request))
        .execution_options(populate_existing=True)
    )


def order_with(public_id: str) -> Order:
    """Return an order, whoever's it is: for staff.

    Raises:
        NotFound: there is no such order.
    """
    found = db.session.scalar(sa.select(Order).where(Order.public_id == public_id))
    if found is None:
        raise NotFound
    return found


def names_of(*actors: str | None) -> dict[str, str]:
    """Return the e-mail addresses behind actors (`staff:…`, `learner:…`), by actor; nobody's are left out."""
    by_public_id = {actor.partition(":")[2]: actor for actor in actors if actor}
    rows = db.session.execute(
        sa.select(Learner.public_id, Learner.email).where(Learner.public_id.in_(by_public_id))
    )
    return {by_public_id[row.public_id]: row.email for row in rows}


def number_of_form(key: str, actor: str) -> str | None:
    """Return the number of the refund that this form of this actor has made already."""
    return db.session.scalar(
        sa.select(Refund.out_refund_no).where(Refund.request_key == key, Refund.requested_by == actor)
    )
