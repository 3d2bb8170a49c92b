"""Place an order and move it along its table of states."""

import functools
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.catalogue.queries import Terms
from portal.kit import clock, ids
from portal.kit.db import add_row, changed_one, db, read, run, table_of
from portal.kit.errors import Conflict, Invalid, TooMany
from portal.orders.models import IllegalMove, Order, OrderStatus, sources_of

OPEN_ORDERS_ALLOWED = 5


class PriceChanged(Conflict):
    """The price is no longer the one the learner saw; `facts["amount_fen"]` is the price now."""

    code = "price_changed"


class NotForSale(Invalid):
    """The course is free or withdrawn."""

    code = "not_for_sale"


def open_key(learner_id: int, product_id: str) -> str:
    """Return the text that is unique while a learner has an open order for a product."""
    return f"{learner_id}:{product_id}"


def place_order(
    learner_id: int, course: Terms, seen_fen: int | None, mode: str, lifetime: timedelta
) -> Order:
    """Record what the learner owes, in the running transaction, before any gateway hears of it.

    The price and the terms are copied: changing a course must not change an order. What is returned tells of the
    order; changing it changes nothing.

    Raises:
        NotForSale: the course is free or withdrawn.
        PriceChanged: `seen_fen`, the price on the learner's page, is not the price now.
        TooMany: the learner has five open orders.
        IntegrityError: an order for this product is open already (unique `open_key`).
    """
    if course.is_free or not course.is_on_sale:
        raise NotForSale
    if seen_fen is not None and seen_fen != course.price_fen:
        raise PriceChanged(amount_fen=course.price_fen)
    if _open_orders(learner_id) >= OPEN_ORDERS_ALLOWED:
        raise TooMany(retry_after=600, detail="too_many_open_orders")
    now = clock.now().replace(microsecond=0)
    values: dict[str, Any] = {
        "public_id": ids.new_public_id(),
        "learner_id": learner_id,
        "product_id": course.id,
        "product_kind": course.kind,
        "title_zh": course.title_zh,
        "title_en": course.title_en,
        "amount_fen": course.price_fen,
        "currency": course.currency,
        "license_days": course.license_days,
        "max_downloads": course.max_downloads,
        "mode": mode,
        "status": OrderStatus.PENDING.value,
        "open_key": open_key(learner_id, course.id),
        "version": 1,
        "created_at": clock.now(),
        # WeChat knows whole seconds, and the same moment is its `time_expire`.
        "expires_at": now + lifetime,
    }
    return Order(id=add_row(Order, **values), **values)


_orders = table_of(Order).c
_OPEN_COUNT = sa.select(sa.func.count().label("count")).where(
    _orders.learner_id == sa.bindparam("learner"),
    _orders.status == OrderStatus.PENDING.value,
    _orders.open_key.is_not(None),
)
_OPEN = sa.select(_orders.public_id).where(_orders.open_key == sa.bindparam("key"))


def _open_orders(learner_id: int) -> int:
    return int(read(_OPEN_COUNT, {"learner": learner_id})[0][0])


def open_order_id(learner_id: int, product_id: str) -> str | None:
    """Return the public id of the learner's open order for a product."""
    rows = read(_OPEN, {"key": open_key(learner_id, product_id)})
    return rows[0].public_id if rows else None


@functools.cache
def _move_to(target: OrderStatus) -> sa.Update:
    sources = [sa.literal(source) for source in sources_of(target)]
    return (
        sa.update(table_of(Order))
        .where(_orders.id == sa.bindparam("order"), _orders.status.in_(sources) if sources else sa.false())
        .values(status=target.value, open_key=None, closing=None, version=_orders.version + 1)
    )


def move_order(order_id: int, target: OrderStatus, **values: Any) -> None:
    """Move an order to `target` and count the change, in the running transaction.

    The compare-and-set on the states that may lead to `target` is what keeps two movers apart (I9).

    Raises:
        IllegalMove: when the order is in no such state any more.
    """
    moved = run(_move_to(target), {"order": order_id, **values})
    if not changed_one(moved):
        raise IllegalMove(f"not to {target}")


def begin_closing(order_id: int, how: OrderStatus) -> bool:
    """Note that an order is to become CANCELLED or EXPIRED once the gateway has closed it.

    Returns whether it was pending and not yet closing.
    """
    begun = db.session.execute(
        sa.update(Order)
        .where(Order.id == order_id, Order.status == OrderStatus.PENDING.value, Order.closing.is_(None))
        .values(closing=how.value, version=Order.version + 1)
    )
    return changed_one(begun)


def extend(order_id: int, until: datetime) -> None:
    """Let a pending order wait at least until then, in the running transaction, and count the change."""
    db.session.execute(
        sa.update(Order)
        .where(Order.id == order_id, Order.status == OrderStatus.PENDING.value, Order.expires_at < until)
        .values(expires_at=until)
    )
    touch(order_id)


_TOUCH = (
    sa.update(table_of(Order)).where(_orders.id == sa.bindparam("order")).values(version=_orders.version + 1)
)


def touch(order_id: int) -> None:
    """Count a change that a watching page must show, in the running transaction."""
    run(_TOUCH, {"order": order_id})


def overdue_order_ids(moment: datetime, limit: int) -> list[int]:
    """Return ids of pending orders whose time was over at `moment`, oldest first."""
    query = (
        sa.select(Order.id)
        .where(Order.status == OrderStatus.PENDING.value, Order.expires_at <= moment, Order.closing.is_(None))
        .order_by(Order.expires_at)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def public_id_of(order_id: int) -> str | None:
    """Return the number that people know an order by."""
    return db.session.scalar(sa.select(Order.public_id).where(Order.id == order_id))
