"""Tables of counts, a row for each day and product, and how far they have come."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, UtcDateTime, identifier


class DailySales(Base):
    """What the ledger says of a day: money for sales and back, and money that bought nothing and back."""

    __tablename__ = "daily_sales"

    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    product_id: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    sold_fen: Mapped[int] = mapped_column(sa.BigInteger)
    sold_count: Mapped[int] = mapped_column(sa.Integer)
    refunded_fen: Mapped[int] = mapped_column(sa.BigInteger)
    refund_count: Mapped[int] = mapped_column(sa.Integer)
    unapplied_fen: Mapped[int] = mapped_column(sa.BigInteger)
    returned_fen: Mapped[int] = mapped_column(sa.BigInteger)


class DailyOrders(Base):
    """What became of the orders placed on a day. `open_count` can still change, the rest only by late money."""

    __tablename__ = "daily_orders"

    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    product_id: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    placed_count: Mapped[int] = mapped_column(sa.Integer)
    paid_count: Mapped[int] = mapped_column(sa.Integer)
    delivered_count: Mapped[int] = mapped_column(sa.Integer)
    open_count: Mapped[int] = mapped_column(sa.Integer)


class DailyDelivery(Base):
    """How many orders placed on a day had their license within `within_seconds` of the payment, and not sooner."""

    __tablename__ = "daily_delivery"

    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    product_id: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    within_seconds: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    count: Mapped[int] = mapped_column(sa.Integer)


class DailyViews(Base):
    """How often a course's page was shown on a day."""

    __tablename__ = "daily_views"

    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    product_id: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    count: Mapped[int] = mapped_column(sa.Integer)


class ReportState(Base):
    """How far the counts have come; one row. Whoever counts holds it, so two never count at once."""

    __tablename__ = "report_state"

    name: Mapped[str] = mapped_column(identifier(16), primary_key=True)
    counted_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    turns: Mapped[int] = mapped_column(sa.BigInteger)
