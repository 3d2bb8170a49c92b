"""The table of orders, and which state may follow which."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit import clock
from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of
from portal.kit.errors import Conflict


class OrderStatus(StrEnum):
    """Where an order stands. The names are those of the extension's API, except PAID's two halves."""

    PENDING = "pending"
    PAID = "paid"
    """The money is confirmed; the license is still to be made."""
    COMPLETED = "completed"
    """The license is made."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """The gateway refused to open a payment; nobody can have paid."""
    REFUNDED = "refunded"
    """All that was paid went back; the license is revoked."""


class RefundState(StrEnum):
    """What is under way with the money of a paid order."""

    REQUESTED = "requested"
    PROCESSING = "processing"
    ABNORMAL = "abnormal"


MOVES: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(
        {
            OrderStatus.PAID,
            OrderStatus.COMPLETED,
            OrderStatus.EXPIRED,
            OrderStatus.CANCELLED,
            OrderStatus.FAILED,
        }
    ),
    OrderStatus.PAID: frozenset({OrderStatus.COMPLETED, OrderStatus.REFUNDED}),
    OrderStatus.COMPLETED: frozenset({OrderStatus.REFUNDED}),
    # Money that arrives late is honoured while the course is not owned (DECISIONS 15).
    OrderStatus.EXPIRED: frozenset({OrderStatus.PAID, OrderStatus.COMPLETED}),
    OrderStatus.CANCELLED: frozenset({OrderStatus.PAID, OrderStatus.COMPLETED}),
    OrderStatus.FAILED: frozenset({OrderStatus.PAID, OrderStatus.COMPLETED}),
    OrderStatus.REFUNDED: frozenset(),
}


class IllegalMove(Conflict):
    """An order was asked to go where its state does not lead."""

    code = "illegal_move"


def sources_of(target: OrderStatus) -> list[str]:
    """Return the states from which `target` may be reached: the WHERE of a compare-and-set."""
    return [source.value for source, targets in MOVES.items() if target in targets]


class _Columns(Protocol):
    """The columns that `OrderReading` looks at."""

    @property
    def title_zh(self) -> str: ...
    @property
    def title_en(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...


class OrderReading:
    """What the columns of an order say, whether all of them were read or only those of `OrderFacts`."""

    __slots__ = ()

    def title(self: _Columns, locale: str) -> str:
        """Return the title in the language of `locale` (`en…`, else Chinese)."""
        return self.title_en if locale.startswith("en") else self.title_zh

    @property
    def is_open(self: _Columns) -> bool:
        """Tell whether the order still waits for money."""
        return self.status == OrderStatus.PENDING

    @property
    def was_paid(self: _Columns) -> bool:
        """Tell whether the money for this order was ever confirmed, given back or not."""
        return self.status in {OrderStatus.PAID, OrderStatus.COMPLETED, OrderStatus.REFUNDED}

    @property
    def is_paid(self: _Columns) -> bool:
        """Tell whether the money for this order is confirmed."""
        return self.status in {OrderStatus.PAID, OrderStatus.COMPLETED}

    @property
    def is_past_deadline(self: _Columns) -> bool:
        """Tell whether the time to pay is over, whether or not the order has been closed yet."""
        return clock.now() >= self.expires_at

    @property
    def time_left(self: _Columns) -> timedelta:
        """Return how long the learner can still pay; zero when over."""
        return max(self.expires_at - clock.now(), timedelta(0))


class Order(OrderReading, Base):
    """One purchase by one learner. `open_key` keeps a learner to one open order for a product."""

    __tablename__ = "orders"
    __table_args__ = (
        one_of("status", OrderStatus),
        sa.CheckConstraint("amount_fen > 0", name="amount_positive"),
        sa.CheckConstraint("closing IS NULL OR closing IN ('expired', 'cancelled')", name="closing"),
        sa.CheckConstraint(
            "refund_state IS NULL OR refund_state IN ('requested', 'processing', 'abnormal')",
            name="refund_state",
        ),
        # The lists of the admin's desk, newest first: each filter it offers has its index.
        sa.Index("ix_orders_created_at", "created_at"),
        sa.Index("ix_orders_status_created_at", "status", "created_at"),
        sa.Index("ix_orders_product_id_created_at", "product_id", "created_at"),
        sa.Index("ix_orders_product_id_status_created_at", "product_id", "status", "created_at"),
        sa.Index("ix_orders_learner_id_created_at", "learner_id", "created_at"),
        sa.Index("ix_orders_status_expires_at", "status", "expires_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    learner_id: Mapped[int] = mapped_column(sa.ForeignKey("learners.id"))
    product_id: Mapped[str] = mapped_column(sa.ForeignKey("products.id"))
    product_kind: Mapped[str] = mapped_column(sa.String(16))
    title_zh: Mapped[str] = mapped_column(sa.String(120))
    title_en: Mapped[str] = mapped_column(sa.String(120))
    amount_fen: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    license_days: Mapped[int] = mapped_column(sa.Integer)
    max_downloads: Mapped[int] = mapped_column(sa.Integer)
    mode: Mapped[str] = mapped_column(sa.String(4))
    status: Mapped[str] = mapped_column(sa.String(16))
    closing: Mapped[str | None] = mapped_column(sa.String(16))
    refund_state: Mapped[str | None] = mapped_column(sa.String(16))
    open_key: Mapped[str | None] = mapped_column(identifier(96), unique=True)
    version: Mapped[int] = mapped_column(sa.Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class OrderFacts(OrderReading):
    """What a learner's pages and the API tell of an order: columns of its row, named and typed as those."""

    id: int
    public_id: str
    product_id: str
    product_kind: str
    title_zh: str
    title_en: str
    amount_fen: int
    currency: str
    license_days: int
    max_downloads: int
    mode: str
    status: str
    closing: str | None
    refund_state: str | None
    version: int
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    closed_at: datetime | None


AnyOrder: TypeAlias = Order | OrderFacts
"""An order, whether the whole row was read or only what is in `OrderFacts`."""
