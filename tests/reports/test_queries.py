"""A report adds up what the days counted, step by step and course by course."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from portal.kit.db import db, transaction
from portal.ledger.models import LedgerEntry
from portal.ledger.services import SALES
from portal.reports.models import DailyDelivery, DailyOrders, DailySales, DailyViews
from portal.reports.queries import (
    BadPeriod,
    Grain,
    Wanted,
    delivery_times,
    funnel,
    sales_by_product,
    sales_by_time,
)
from portal.reports.recount import LATER

pytestmark = pytest.mark.database
GATEWAY = "gateway:wechat_pay"
SUNDAY = date(2026, 11, 1)


def sales(day, product_id, sold_fen, refunded_fen=0):
    counts = (int(sold_fen > 0), int(refunded_fen > 0))
    return {
        "day": day, "product_id": product_id, "sold_fen": sold_fen, "sold_count": counts[0],
        "refunded_fen": refunded_fen, "refund_count": counts[1], "unapplied_fen": 0, "returned_fen": 0,
    }  # fmt: skip


@pytest.fixture
def counted(app):
    """Put counts in place, and stay where they can be read."""

    def put(table, *rows):
        with transaction() as session:
            session.execute(sa.insert(table), list(rows))

    with app.app_context():
        yield put
        db.session.remove()


def test_the_steps_of_a_period_are_all_there(counted):
    counted(DailySales, sales(SUNDAY, "a", 100), sales(SUNDAY + timedelta(days=2), "a", 50, 20))
    wanted = Wanted(SUNDAY, SUNDAY + timedelta(days=3))
    steps = sales_by_time(wanted, Grain.DAY)
    assert [step.sold_fen for step in steps.values()] == [100, 0, 50, 0]
    assert [step.net_fen for step in steps.values()] == [100, 0, 30, 0]


def test_weeks_begin_on_monday_and_months_on_the_first(counted):
    counted(DailySales, sales(SUNDAY, "a", 100), sales(SUNDAY + timedelta(days=1), "a", 50))
    wanted = Wanted(SUNDAY, date(2026, 12, 1))
    weeks = sales_by_time(wanted, Grain.WEEK)
    assert list(weeks)[:2] == [date(2026, 10, 26), date(2026, 11, 2)]
    assert [weeks[week].sold_fen for week in list(weeks)[:2]] == [100, 50]
    months = sales_by_time(wanted, Grain.MONTH)
    assert {month: step.sold_fen for month, step in months.items()} == {SUNDAY: 150, date(2026, 12, 1): 0}


def test_courses_come_by_their_sales_and_only_those_that_are_wanted(counted):
    counted(DailySales, sales(SUNDAY, "a", 100), sales(SUNDAY, "b", 300, 100), sales(SUNDAY, "c", 200))
    found = sales_by_product(Wanted(SUNDAY, SUNDAY))
    assert list(found) == ["b", "c", "a"]
    assert list(sales_by_product(Wanted(SUNDAY, SUNDAY, ["a", "c"]))) == ["c", "a"]
    assert sales_by_product(Wanted(SUNDAY, SUNDAY, [])) == {}


def test_the_funnel_narrows_from_the_page_to_the_license(counted):
    counted(DailyViews, {"day": SUNDAY, "product_id": "a", "count": 1000})
    counted(
        DailyOrders,
        {
            "day": SUNDAY, "product_id": "a", "placed_count": 110, "paid_count": 81,
            "delivered_count": 80, "open_count": 11,
        },
    )  # fmt: skip
    found = funnel(Wanted(SUNDAY, SUNDAY))
    assert (found.viewed, found.placed, found.paid, found.delivered) == (1000, 110, 81, 80)
    # Ten wait for money and are no failure; the eleventh open one is paid and waits for its license.
    assert found.success_share == 0.81
    assert funnel(Wanted(SUNDAY, SUNDAY, [])).success_share is None


def test_half_and_nearly_all_licenses_came_within_the_class_they_fall_in(counted):
    rows = [(1, 50), (5, 44), (30, 1), (600, 4), (LATER, 1)]
    counted(
        DailyDelivery,
        *({"day": SUNDAY, "product_id": "a", "within_seconds": within, "count": n} for within, n in rows),
    )
    found = delivery_times(Wanted(SUNDAY, SUNDAY))
    assert (found.percentile(0.5), found.percentile(0.95), found.percentile(1)) == (1, 30, None)
    assert (found.count, found.promise_share) == (100, 0.95)
    nothing = delivery_times(Wanted(SUNDAY, SUNDAY, []))
    assert (nothing.percentile(0.5), nothing.promise_share) == (None, None)


@pytest.mark.parametrize("last", [date(2026, 10, 31), date(2030, 1, 1), date.min, date.max])
def test_a_period_goes_forward_and_ends(last):
    with pytest.raises(BadPeriod):
        Wanted(SUNDAY, last)


def test_a_report_of_real_purchases_equals_the_ledger_to_the_fen(app, purchase, post, counts, clock):
    first = purchase()
    clock.travel(days=1)
    post(first, 321, SALES, GATEWAY)
    second = purchase("javascript-complete")
    counts()
    day = (clock.now() + timedelta(hours=8)).date()
    with app.app_context():
        wanted = Wanted(day - timedelta(days=30), day)
        by_time = sum(step.net_fen for step in sales_by_time(wanted, Grain.WEEK).values())
        by_product = sum(step.net_fen for step in sales_by_product(wanted).values())
        credited = sa.select(sa.func.sum(LedgerEntry.amount_fen)).where(LedgerEntry.credit_account == SALES)
        debited = sa.select(sa.func.sum(LedgerEntry.amount_fen)).where(LedgerEntry.debit_account == SALES)
        ledger = db.session.scalars(credited).one() - db.session.scalars(debited).one()
    assert by_time == by_product == ledger == first.amount_fen + second.amount_fen - 321
