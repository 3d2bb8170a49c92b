"""Find an order by any number that a person may hold in their hands; each is one indexed read, and exact."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.kit.db import db
from portal.learners.queries import learner_with
from portal.licenses.models import Entitlement, License
from portal.orders.models import Order
from portal.payments.models import Payment

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NUMBER = re.compile(r"[0-9A-Za-z_|*@-]{6,64}", re.ASCII)
_LONGEST = 254


@dataclass(frozen=True)
class Found:
    """What a search came to: the public ids of orders, or of the person whose orders are meant."""

    orders: tuple[str, ...] = ()
    learner: str | None = None


def search(text: str, courses: Collection[str] | None) -> Found:
    """Find orders by order number, `transaction_id`, `out_trade_no`, license id, or the buyer's e-mail address.

    Blanks inside a number are as a bill prints them, and count for nothing.
    """
    wanted = "".join(text.split())
    if len(wanted) > _LONGEST:
        return Found()
    if "@" in wanted:
        return _by_email(wanted, courses)
    if not _NUMBER.fullmatch(wanted):
        return Found()
    if _UUID.fullmatch(wanted.lower()):
        of_license = Order.id == _order_of_license(wanted.lower())
        return Found(_visible(of_license, courses))
    found = _visible(Order.public_id == wanted.lower(), courses)
    for number in (Payment.out_trade_no, Payment.transaction_id):
        found = found or _visible(Order.id.in_(_orders_of_payment(number, wanted)), courses)
    return Found(found)


def _orders_of_payment(number: Any, wanted: str) -> list[int]:
    return list(db.session.scalars(sa.select(Payment.order_id).where(number == wanted).limit(20)))


def _order_of_license(license_id: str) -> sa.ScalarSelect[int | None]:
    return (
        sa.select(Entitlement.order_id)
        .join(License, License.entitlement_id == Entitlement.id)
        .where(License.id == license_id)
        .scalar_subquery()
    )


def _visible(condition: sa.ColumnElement[bool], courses: Collection[str] | None) -> tuple[str, ...]:
    query = sa.select(Order.public_id).where(condition).order_by(Order.id.desc()).limit(20)
    if courses is not None:
        query = query.where(Order.product_id.in_(courses))
    return tuple(db.session.scalars(query))


def _by_email(email: str, courses: Collection[str] | None) -> Found:
    learner = learner_with(email)
    if learner is None:
        return Found()
    if courses is not None and not _visible(Order.learner_id == learner.id, courses):
        # Who bought nothing of these courses is no business of whoever teaches them.
        return Found()
    return Found(learner=learner.public_id)
