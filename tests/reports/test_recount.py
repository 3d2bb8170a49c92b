"""The counts behind the reports are what ledger and orders say, to the fen, whenever and however often they are made."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.kit import beijing
from portal.kit import clock as portal_clock
from portal.kit.db import db, transaction
from portal.ledger.models import LedgerEntry
from portal.ledger.services import SALES, UNAPPLIED
from portal.orders.models import OrderStatus
from portal.reports import recount as module
from portal.reports.check import wrong_days
from portal.reports.models import DailyDelivery, DailyOrders, DailySales, ReportState
from portal.reports.recount import LATER, bring_up_to_date, class_of, counted_until

pytestmark = pytest.mark.database
OTHER = "javascript-complete"
GATEWAY = "gateway:wechat_pay"


@pytest.fixture
def days(app):
    """Return what is counted of each day, product by product."""

    def rows(table, *columns):
        with app.app_context():
            query = sa.select(table.day, table.product_id, *columns).order_by(table.day, table.product_id)
            return [tuple(row) for row in db.session.execute(query)]

    return rows


@pytest.fixture
def wrong(app):
    """Return the days whose counts are not what a count from nothing gives."""

    def found():
        with app.app_context():
            return wrong_days()

    return found


def today():
    return beijing.day_of(portal_clock.now())


def ledger_net(app):
    with app.app_context():
        sold = LedgerEntry.credit_account == SALES
        signed = sa.case((sold, LedgerEntry.amount_fen), else_=-LedgerEntry.amount_fen)
        touched = sa.or_(sold, LedgerEntry.debit_account == SALES)
        return int(db.session.scalar(sa.select(sa.func.sum(signed)).where(touched)))


class TestCounting:
    def test_nothing_is_counted_where_nothing_happened(self, counts, count):
        assert counts()["sold_fen"] == 0
        assert count(ReportState) == 0

    def test_sales_refunds_and_money_that_bought_nothing_equal_the_ledger(self, app, purchase, post, counts):
        bought, other = purchase(), purchase(OTHER)
        post(bought, 1234, SALES, GATEWAY)
        post(other, 55, GATEWAY, UNAPPLIED)
        post(other, 5, UNAPPLIED, GATEWAY)
        found = counts()
        assert found["sold_fen"] == bought.amount_fen + other.amount_fen
        assert (found["sold_count"], found["refunded_fen"], found["refund_count"]) == (2, 1234, 1)
        assert (found["unapplied_fen"], found["returned_fen"]) == (55, 5)
        assert found["sold_fen"] - found["refunded_fen"] == ledger_net(app)

    def test_each_course_has_its_own_row(self, purchase, counts, days):
        bought, other = purchase(), purchase(OTHER)
        counts()
        assert days(DailySales, DailySales.sold_fen) == [
            (today(), "cpp-primer-5th", bought.amount_fen),
            (today(), OTHER, other.amount_fen),
        ]

    def test_money_of_no_order_is_counted_without_a_product(self, post, counts, days):
        post(None, 700, GATEWAY, UNAPPLIED)
        counts()
        assert days(DailySales, DailySales.unapplied_fen) == [(today(), "", 700)]

    def test_counting_twice_changes_nothing(self, purchase, counts, days):
        purchase()
        first = counts()
        assert counts() == first
        assert len(days(DailySales)) == 1

    def test_a_day_begins_at_beijings_midnight(self, purchase, post, counts, days):
        bought = purchase()
        since_midnight = portal_clock.now() - beijing.begin_of(today())
        post(bought, 3, SALES, GATEWAY, since_midnight + timedelta(minutes=5))
        counts()
        post(bought, 4, SALES, GATEWAY, since_midnight - timedelta(seconds=1))
        counts()
        yesterday = today() - timedelta(days=1)
        refunded = {day: fen for day, _, fen in days(DailySales, DailySales.refunded_fen)}
        assert refunded == {yesterday: 3, today(): 4}

    def test_an_order_is_counted_by_what_became_of_it(self, shop, counts):
        order_id = shop.buyer().buy()
        shop.buyer().buy(OTHER)
        found = counts()
        assert (found["placed_count"], found["paid_count"], found["open_count"]) == (2, 0, 2)
        shop.pay(order_id)
        shop.notify(order_id)
        found = counts()
        assert (found["paid_count"], found["delivered_count"], found["open_count"]) == (1, 1, 1)

    def test_the_time_to_the_license_has_its_class(self, purchase, counts, days):
        purchase()
        counts()
        [(*_, within, number)] = days(DailyDelivery, DailyDelivery.within_seconds, DailyDelivery.count)
        assert within <= 10
        assert number == 1

    @pytest.mark.parametrize(
        ("seconds", "within"), [(-1, 1), (0, 1), (1, 1), (1.001, 2), (30, 30), (30.1, 45), (86_401, LATER)]
    )
    def test_a_class_holds_its_end(self, seconds, within):
        assert class_of(timedelta(seconds=seconds)) == within


class TestLateNews:
    def test_what_commits_late_is_found(self, purchase, post, clock, counts):
        bought = purchase()
        clock.travel(days=1, seconds=-(portal_clock.now() - beijing.begin_of(today())).total_seconds())
        before = counts()["refunded_fen"]
        # Midnight has just passed; it wrote down its moment before, and commits after the count.
        post(bought, 10, SALES, GATEWAY, timedelta(minutes=9))
        assert counts()["refunded_fen"] == before + 10

    def test_an_order_that_ends_on_a_later_day_is_counted_where_it_was_placed(
        self, shop, clock, counts, days, wrong
    ):
        shop.buyer().buy()
        assert counts()["open_count"] == 1
        placed_on = today()
        clock.travel(days=2)
        shop.work(2)
        assert counts()["open_count"] == 0
        assert days(DailyOrders) == [(placed_on, "cpp-primer-5th")]
        assert wrong() == []

    def test_money_that_comes_on_a_later_day_is_too(self, shop, clock, counts, days, wrong):
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        counts()
        placed_on = today()
        clock.travel(days=1)
        shop.notify(order_id)
        found = counts()
        assert (found["placed_count"], found["paid_count"], found["delivered_count"]) == (1, 1, 1)
        assert days(DailyOrders) == [(placed_on, "cpp-primer-5th")]
        assert days(DailySales) == [(today(), "cpp-primer-5th")]
        assert wrong() == []

    def test_a_license_that_was_made_on_a_later_day_is_too(
        self, shop, clock, counts, wrong, tools, monkeypatch, tmp_path
    ):
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        with monkeypatch.context() as away:
            away.setattr(tools.key_ring, "_directory", tmp_path)
            assert shop.notify(order_id).status_code == 200
        assert shop.order(order_id).status == OrderStatus.PAID
        found = counts()
        assert (found["paid_count"], found["delivered_count"], found["open_count"]) == (1, 0, 1)
        clock.travel(days=1)
        counts()
        shop.work()
        found = counts()
        assert (found["paid_count"], found["delivered_count"], found["open_count"]) == (1, 1, 0)
        assert wrong() == []


class TestRestarting:
    def test_a_round_that_died_half_way_is_made_good_by_the_next(
        self, app, purchase, clock, counts, monkeypatch, wrong
    ):
        purchase()
        clock.travel(days=3)
        purchase()
        with app.app_context(), monkeypatch.context() as dying:
            dying.setattr(module, "_note", _die)
            with pytest.raises(ZeroDivisionError):
                bring_up_to_date()
            assert counted_until() is None
        assert counts()["sold_count"] == 2
        assert wrong() == []

    def test_a_long_silence_is_made_good_month_by_month(self, app, purchase, clock, counts, wrong):
        purchase()
        counts()
        clock.travel(days=70)
        purchase()
        with app.app_context():
            rounds = [bring_up_to_date() for _ in range(4)]
            assert max(rounds) == 31
            assert rounds[-1] <= 2
            until = counted_until()
            assert until is not None
            assert until >= portal_clock.now() - timedelta(minutes=1)
        assert wrong() == []

    def test_many_counters_at_once_count_once(self, app, purchase, counts, wrong):
        purchase()
        failures = []

        def work():
            with app.app_context():
                try:
                    bring_up_to_date()
                except Exception as error:
                    failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert counts()["sold_count"] == 1
        assert wrong() == []

    def test_a_clock_that_went_back_does_no_harm(self, purchase, clock, counts, wrong):
        purchase()
        counts()
        clock.travel(days=-3)
        assert counts()["sold_count"] == 1
        clock.travel(days=3)
        assert wrong() == []


def _die(_until):
    raise ZeroDivisionError


class TestChecking:
    @pytest.mark.parametrize("table", [DailySales, DailyOrders, DailyDelivery])
    def test_a_count_changed_behind_its_back_is_found_and_mended(self, app, purchase, counts, wrong, table):
        purchase()
        counts()
        assert wrong() == []
        column = list(table.__table__.columns)[-1]
        with app.app_context(), transaction() as session:
            session.execute(sa.update(table).values({column.name: column + 1}))
        assert wrong() == [today()]
        runner = app.test_cli_runner()
        found = runner.invoke(args=["reports", "check"])
        assert (found.exit_code, today().isoformat() in found.output) == (1, True)
        assert runner.invoke(args=["reports", "rebuild"]).output == "1 days counted anew.\n"
        assert runner.invoke(args=["reports", "check", "--json"]).output == '{"ok": true, "days": []}\n'
