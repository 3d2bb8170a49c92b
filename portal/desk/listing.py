"""Lists of orders, newest first, page by page at any length; each filter it offers has its index."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.kit import beijing
from portal.kit.db import db
from portal.kit.keyset import Place, cursor_of, place_of
from portal.learners.models import Learner
from portal.orders.models import Order, OrderStatus
from portal.payments.history import order_state
from portal.payments.models import Payment, PaymentStatus

PAGE_SIZE = 50
EXPORT_ROWS = 100_000
_EXPORT_PAGE = 1000


@dataclass(frozen=True)
class Wanted:
    """Which orders. Days are Beijing's and count themselves; `learner_id` is the buyer, and goes alone with days.

    `courses` are those that the reader may see, None for all.
    """

    status: OrderStatus | None = None
    course_id: str | None = None
    first: date | None = None
    last: date | None = None
    learner_id: int | None = None
    courses: Collection[str] | None = None

    @property
    def listing(self) -> Sequence[object]:
        """What tells this list from every other."""
        parts = (self.status, self.course_id, self.first, self.last, self.learner_id)
        return ("orders", *parts, None if self.courses is None else sorted(self.courses))


@dataclass(frozen=True)
class OrderLine:
    """An order in a list, with its buyer and the number the payer's bill shows, where it is paid."""

    order: Order
    email: str
    transaction_id: str | None
    refunded_fen: int

    @property
    def state(self) -> str:
        """The order's state in one word of the checkout's vocabulary."""
        return order_state(self.order, self.refunded_fen)


@dataclass(frozen=True)
class OrderPage:
    """Some orders, and the text that the next page begins with, None at the end."""

    lines: Sequence[OrderLine]
    cursor: str | None


def orders_page(wanted: Wanted, cursor: str | None = None, size: int = PAGE_SIZE) -> OrderPage:
    """Return the page of a list that begins after `cursor`, the newest when left out.

    Raises:
        BadCursor: the cursor is none of this list.
    """
    place = place_of(cursor, wanted.listing) if cursor is not None else None
    keys = _keys(wanted, place, size + 1)
    more = cursor_of(Place(*keys[size - 1]), wanted.listing) if len(keys) > size else None
    return OrderPage(_lines([row_id for _, row_id in keys[:size]]), more)


def every_line(wanted: Wanted) -> Iterator[OrderLine]:
    """Go through a list to its end, or to the most rows of an export, a page at a time.

    No statement stays open between the pages, so whoever reads slowly holds nothing.
    """
    cursor, left = None, EXPORT_ROWS
    while left:
        page = orders_page(wanted, cursor, min(_EXPORT_PAGE, left))
        yield from page.lines
        left -= len(page.lines)
        cursor = page.cursor
        db.session.rollback()
        if cursor is None:
            return


def is_longer_than_an_export(wanted: Wanted) -> bool:
    """Tell whether a list has more orders than an export takes."""
    keys = _conditions(wanted, None)
    beyond = sa.select(Order.id).where(*keys).order_by(Order.created_at.desc(), Order.id.desc())
    return db.session.scalar(beyond.offset(EXPORT_ROWS).limit(1)) is not None


def _keys(wanted: Wanted, place: Place | None, count: int) -> list[tuple[datetime, int]]:
    """Return moment and id of the next `count` orders.

    Of several courses each is asked for its newest, by its index, and the newest of those are taken; a plain
    `IN` over all of them would read and sort them whole.
    """
    newest = [
        sa.select(Order.created_at, Order.id)
        .where(*_conditions(part, place))
        .order_by(Order.created_at.desc(), Order.id.desc())
        .limit(count)
        .subquery()
        for part in _parts(wanted)
    ]
    if not newest:
        return []
    every = sa.union_all(*(sa.select(each.c.created_at, each.c.id) for each in newest)).subquery()
    rows = db.session.execute(
        sa.select(every.c.created_at, every.c.id)
        .order_by(every.c.created_at.desc(), every.c.id.desc())
        .limit(count)
    )
    return [(row.created_at, row.id) for row in rows]


def _parts(wanted: Wanted) -> Iterator[Wanted]:
    if wanted.courses is None or wanted.learner_id is not None:
        yield wanted
    elif wanted.course_id is None:
        yield from (replace(wanted, course_id=course_id, courses=None) for course_id in wanted.courses)
    elif wanted.course_id in wanted.courses:
        yield wanted


def _conditions(wanted: Wanted, place: Place | None) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.learner_id is not None:
        found.append(Order.learner_id == wanted.learner_id)
    if wanted.courses is not None and wanted.learner_id is not None:
        found.append(Order.product_id.in_(wanted.courses))
    if wanted.course_id is not None:
        found.append(Order.product_id == wanted.course_id)
    if wanted.status is not None:
        found.append(Order.status == wanted.status.value)
    if wanted.first is not None:
        found.append(Order.created_at >= beijing.begin_of(wanted.first))
    if wanted.last is not None:
        found.append(Order.created_at < beijing.begin_of(wanted.last + timedelta(days=1)))
    if place is not None:
        found.append(place.before(Order.created_at, Order.id))
    return found


def _lines(order_ids: Sequence[int]) -> list[OrderLine]:
    paid = sa.and_(Payment.order_id == Order.id, Payment.status == PaymentStatus.PAID.value)
    rows: Any = db.session.execute(
        sa.select(Order, Learner.email, Payment.transaction_id, Payment.refunded_fen)
        .join(Learner, Learner.id == Order.learner_id)
        .outerjoin(Payment, paid)
        .where(Order.id.in_(order_ids))
        .order_by(Payment.id.desc())
        .execution_options(populate_existing=True)
    )
    # An order paid twice comes twice; the first payment is the one that counted.
    by_id = {
        order.id: OrderLine(order, email, transaction_id, refunded_fen or 0)
        for order, email, transaction_id, refunded_fen in rows
    }
    return [by_id[order_id] for order_id in order_ids if order_id in by_id]
