"""Reports over a period: sums of the daily counts, for all courses or some."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from portal.kit import beijing
from portal.kit.db import db
from portal.kit.errors import Invalid
from portal.reports.models import DailyDelivery, DailyOrders, DailySales, DailyViews
from portal.reports.recount import LATER

LONGEST_DAYS = 3 * 366
PROMISED_SECONDS = 30


class BadPeriod(Invalid):
    """A period ends before it begins, or is longer than three years."""

    code = "bad_period"


class Grain(StrEnum):
    """The step of a report's time: Beijing's days, weeks from Monday, months."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def begin(self, day: date) -> date:
        """Return the first day of the step that `day` is in."""
        if self is Grain.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Grain.MONTH else day


@dataclass(frozen=True)
class Wanted:
    """Which days (both ends counted) and products; `products` None means all, empty means none.

    Raises:
        BadPeriod: the period ends before it begins, or is longer than three years.
    """

    first: date
    last: date
    products: Collection[str] | None = None

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.last - self.first < timedelta(days=LONGEST_DAYS):
            raise BadPeriod

    def holds(self, table: Any) -> sa.ColumnElement[bool]:
        """Return the condition that a row of counts is wanted."""
        period = table.day.between(self.first, self.last)
        return period if self.products is None else sa.and_(period, table.product_id.in_(self.products))


@dataclass
class Sales:
    """Sums of money, in fen. Unapplied money bought nothing; it is no sale and goes back, or has gone."""

    sold_fen: int = 0
    sold_count: int = 0
    refunded_fen: int = 0
    refund_count: int = 0
    unapplied_fen: int = 0
    returned_fen: int = 0

    @property
    def net_fen(self) -> int:
        """What is left of the sales."""
        return self.sold_fen - self.refunded_fen

    @property
    def sums(self) -> list[int]:
        """The values of the fields, in their order."""
        return [getattr(self, name) for name in _SALES]

    def add(self, sums: Iterable[int]) -> None:
        """Add sums in the order of the fields."""
        for name, value in zip(_SALES, sums, strict=True):
            setattr(self, name, getattr(self, name) + int(value))


_SALES = ("sold_fen", "sold_count", "refunded_fen", "refund_count", "unapplied_fen", "returned_fen")


def _sums_of_sales() -> list[Any]:
    return [sa.func.sum(getattr(DailySales, name)) for name in _SALES]


def sales_by_time(wanted: Wanted, grain: Grain) -> dict[date, Sales]:
    """Return the sales of each step of the period, by its first day; steps without sales are there too."""
    steps = {grain.begin(day): Sales() for day in beijing.days_between(wanted.first, wanted.last)}
    rows = db.session.execute(
        sa.select(DailySales.day, *_sums_of_sales()).where(wanted.holds(DailySales)).group_by(DailySales.day)
    )
    for day, *sums in rows:
        steps[grain.begin(day)].add(sums)
    return steps


def sales_by_product(wanted: Wanted) -> dict[str, Sales]:
    """Return the sales of each product that had any, the largest first."""
    rows = db.session.execute(
        sa.select(DailySales.product_id, *_sums_of_sales())
        .where(wanted.holds(DailySales))
        .group_by(DailySales.product_id)
    )
    found: dict[str, Sales] = {}
    for product_id, *sums in rows:
        found.setdefault(product_id, Sales()).add(sums)
    return dict(sorted(found.items(), key=lambda entry: (-entry[1].sold_fen, entry[0])))


@dataclass(frozen=True)
class Funnel:
    """From a course's page to its license, for the orders placed in the period."""

    viewed: int
    placed: int
    paid: int
    delivered: int
    still_open: int

    @property
    def success_share(self) -> float | None:
        """Paid of the orders that have come to an end, None without any.

        An order that is paid and waits for its license is open and paid: the money has succeeded.
        """
        waiting = self.still_open - (self.paid - self.delivered)
        return share_of(self.paid, self.placed - max(waiting, 0))


def funnel(wanted: Wanted) -> Funnel:
    """Return how many came how far."""
    counts = (
        DailyOrders.placed_count,
        DailyOrders.paid_count,
        DailyOrders.delivered_count,
        DailyOrders.open_count,
    )
    row = db.session.execute(
        sa.select(*(sa.func.coalesce(sa.func.sum(count), 0) for count in counts)).where(
            wanted.holds(DailyOrders)
        )
    ).one()
    viewed = db.session.scalar(sa.select(sa.func.sum(DailyViews.count)).where(wanted.holds(DailyViews)))
    return Funnel(int(viewed or 0), *map(int, row))


@dataclass(frozen=True)
class DeliveryTimes:
    """Times from the payment to the license: counts by class, the class named by its end in seconds."""

    classes: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many licenses."""
        return sum(self.classes.values())

    @property
    def promise_share(self) -> float | None:
        """How many of all came within the promised 30 seconds, None without any."""
        kept = sum(count for within, count in self.classes.items() if within <= PROMISED_SECONDS)
        return share_of(kept, self.count)

    def percentile(self, share: float) -> int | None:
        """Return the time in seconds that `share` of the licenses kept within: the end of a class.

        None without licenses, or when it lies beyond the last bound.
        """
        reached = 0
        for within, count in sorted(self.classes.items()):
            reached += count
            if reached >= share * self.count:
                return None if within == LATER else within
        return None


def delivery_times(wanted: Wanted) -> DeliveryTimes:
    """Return how long the licenses of the period's orders took."""
    rows = db.session.execute(
        sa.select(DailyDelivery.within_seconds, sa.func.sum(DailyDelivery.count))
        .where(wanted.holds(DailyDelivery))
        .group_by(DailyDelivery.within_seconds)
        .order_by(DailyDelivery.within_seconds)
    )
    return DeliveryTimes({within: int(count) for within, count in rows})


def share_of(part: int, whole: int) -> float | None:
    """Return a part of a whole, None where there is no whole."""
    return part / whole if whole else None
