"""What the tests of reports share: purchases through the doors, and counts brought up to date."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.kit import clock as portal_clock
from portal.kit.db import db, transaction
from portal.ledger.models import LedgerEntry
from portal.orders.models import Order
from portal.reports.models import DailyOrders, DailySales
from portal.reports.recount import bring_up_to_date
from tests.support.shop import COURSE, Shop


@pytest.fixture
def counts(app: Flask) -> Callable[[], dict[str, int]]:
    """Bring the counts up to date and return the sums of all days, by name."""

    def sums() -> dict[str, int]:
        with app.app_context():
            bring_up_to_date()
            found: dict[str, int] = {}
            for table in (DailySales, DailyOrders):
                columns = [c for c in table.__table__.columns if c.name not in ("day", "product_id")]
                row = db.session.execute(sa.select(*(sa.func.sum(c) for c in columns))).one()
                found |= {c.name: int(value or 0) for c, value in zip(columns, row, strict=True)}
            return found

    return sums


@pytest.fixture
def purchase(shop: Shop) -> Callable[..., Order]:
    """Buy a course as somebody new, and pay; return the order."""

    def bought(course_id: str = COURSE) -> Order:
        order_id = shop.buyer().buy(course_id)
        shop.pay(order_id)
        assert shop.notify(order_id).status_code == 200
        return shop.order(order_id)

    return bought


@pytest.fixture
def post(app: Flask) -> Callable[..., None]:
    """Post a ledger entry, as of a while ago."""

    def posted(order: Order | None, fen: int, debit: str, credit: str, ago: timedelta = timedelta(0)) -> None:
        with app.app_context(), transaction() as session:
            number = session.scalar(sa.select(sa.func.count()).select_from(LedgerEntry)) or 0
            values: dict[str, Any] = {
                "source_type": "test",
                "source_id": number,
                "kind": "refund",
                "debit_account": debit,
                "credit_account": credit,
                "amount_fen": fen,
                "currency": "CNY",
                "order_id": order.id if order else None,
                "created_at": portal_clock.now() - ago,
            }
            session.execute(sa.insert(LedgerEntry).values(**values))

    return posted
