"""How many of a month's sales are refunded or complained about."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from portal.disputes.models import Dispute
from portal.kit import beijing
from portal.kit.db import db
from portal.orders.models import Order
from portal.reports.queries import Grain, Wanted, sales_by_time, share_of


@dataclass(frozen=True)
class Rates:
    """Counts of a month in Beijing, each of what happened in it: a refund may be of an earlier sale."""

    sold_count: int = 0
    refund_count: int = 0
    dispute_count: int = 0

    @property
    def refund_share(self) -> float | None:
        """Refunds for each sale, None without sales."""
        return share_of(self.refund_count, self.sold_count)

    @property
    def dispute_share(self) -> float | None:
        """Complaints at the gateway for each sale, None without sales."""
        return share_of(self.dispute_count, self.sold_count)

    def __add__(self, other: "Rates") -> "Rates":
        return Rates(
            self.sold_count + other.sold_count,
            self.refund_count + other.refund_count,
            self.dispute_count + other.dispute_count,
        )


def rates_by_month(wanted: Wanted) -> dict[date, Rates]:
    """Return the rates of each month of the period, by its first day; complaints by the day they were made."""
    disputes = _disputes(wanted)
    return {
        month: Rates(sales.sold_count, sales.refund_count, disputes[month])
        for month, sales in sales_by_time(wanted, Grain.MONTH).items()
    }


def _disputes(wanted: Wanted) -> Counter[date]:
    # Few, and found by their index: they need no daily counts.
    query = sa.select(Dispute.complained_at).where(
        Dispute.complained_at >= beijing.begin_of(wanted.first),
        Dispute.complained_at < beijing.begin_of(wanted.last + timedelta(days=1)),
    )
    if wanted.products is not None:
        query = query.join(Order, Order.id == Dispute.order_id).where(Order.product_id.in_(wanted.products))
    return Counter(Grain.MONTH.begin(beijing.day_of(moment)) for moment in db.session.scalars(query))
