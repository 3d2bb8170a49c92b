"""What no notification brings, the sweeps find; what was left behind, they set going again (F18, issue of lost rows)."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import jobs
from portal.cases.models import Case, CaseKind
from portal.gateways.base import NumberSpent
from portal.kit.db import db, transaction
from portal.licenses.models import License
from portal.outbox.models import Job, JobStatus
from portal.payments.mend import mend
from tests.support.editors import editor_of
from tests.support.keys import active_key_file

pytestmark = pytest.mark.database


@pytest.fixture
def buyer(clock, shop):
    return shop.buyer()


def work_every(shop, clock, seconds, times):
    for _ in range(times):
        clock.travel(seconds=seconds)
        shop.work()


def spoil(shop, statement):
    with shop.app.app_context(), transaction() as session:
        session.execute(sa.text(statement))


class TestLostNotification:
    def test_wechat_is_asked_by_itself_at_half_a_minute_two_minutes_and_then_every_two_and_a_half(
        self, buyer, shop, clock
    ):
        order_id = buyer.buy()
        asked = list[int]()
        for second in range(10, 620, 10):
            clock.travel(seconds=10)
            shop.work()
            if shop.calls(order_id, "query") > len(asked):
                asked.append(second)
        assert len(asked) == 5
        for found, wanted in zip(asked, (30, 120, 270, 420, 570), strict=True):
            assert abs(found - wanted) <= 50

    def test_nobody_watches_and_the_license_is_there_within_three_minutes(self, buyer, shop, clock, count):
        order_id = buyer.buy()
        work_every(shop, clock, 30, 23)
        shop.pay(order_id)
        work_every(shop, clock, 10, 17)
        assert count(License) == 1

    def test_somebody_watches_and_it_is_there_within_a_minute(self, buyer, shop, clock, count):
        order_id = buyer.buy()
        work_every(shop, clock, 30, 22)
        shop.pay(order_id)
        for _ in range(5):
            clock.travel(seconds=5)
            buyer.get(f"/checkout/{order_id}/status")
            shop.work()
        assert count(License) == 1

    def test_an_editor_watches_too(self, buyer, shop, clock, count):
        editor = editor_of(buyer)
        order_id = buyer.buy()
        work_every(shop, clock, 30, 22)
        shop.pay(order_id)
        clock.travel(seconds=21)
        editor.session(order_id)
        shop.work()
        assert count(License) == 1

    def test_watching_asks_wechat_once_in_twenty_seconds(self, buyer, shop, clock):
        order_id = buyer.buy()
        for _ in range(30):
            clock.travel(seconds=4)
            for _ in range(3):
                buyer.get(f"/checkout/{order_id}/status")
            shop.work()
        assert 4 <= shop.calls(order_id, "query") <= 6

    def test_a_poll_never_calls_wechat(self, buyer, shop, clock):
        order_id = buyer.buy()
        for _ in range(10):
            clock.travel(seconds=10)
            buyer.get(f"/checkout/{order_id}/status")
        assert shop.calls(order_id, "query") == 0


class TestAfterTheEnd:
    def test_an_ended_attempt_is_asked_about_once_more_an_hour_later(self, buyer, shop, clock):
        order_id = buyer.buy()
        buyer.post(f"/checkout/{order_id}/cancel")
        before = shop.calls(order_id, "query")
        work_every(shop, clock, 600, 5)
        assert shop.calls(order_id, "query") == before
        work_every(shop, clock, 600, 12)
        assert shop.calls(order_id, "query") == before + 1

    def test_money_that_it_finds_is_honoured(self, buyer, shop, clock, sandbox):
        """WeChat said "not paid" and "closed", and was wrong."""
        order_id = buyer.buy()
        shop.pay(order_id)
        sandbox.control(
            "POST",
            "/control/faults",
            {"route": "query", "kind": "mutate", "set": {"trade_state": "CLOSED"}},
        )
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.state(order_id) == "cancelled"
        sandbox.control("DELETE", "/control/faults")
        clock.travel(minutes=61)
        shop.work()
        assert buyer.state(order_id) == "delivered"

    def test_it_waits_until_wechat_answers(self, buyer, shop, clock, sandbox, count):
        order_id = buyer.buy()
        buyer.post(f"/checkout/{order_id}/cancel")
        sandbox.control("POST", "/control/faults", {"route": "query", "kind": "unsigned", "times": 2})
        clock.travel(minutes=61)
        work_every(shop, clock, 301, 3)
        assert count(Job, Job.kind == "look_again", Job.status == JobStatus.DONE.value) == 1

    def test_an_order_that_wechat_never_heard_of_ends_though_it_closes_no_such(
        self, buyer, shop, sandbox, tools, monkeypatch
    ):
        """Whether WeChat closes a number that was never ordered is not documented; nobody waits for it for ever."""

        def close(out_trade_no):
            raise NumberSpent("404 ORDERNOTEXIST")

        monkeypatch.setattr(tools.gateway("wechat_pay"), "close_payment", close)
        sandbox.control("POST", "/control/faults", {"route": "create", "kind": "drop"})
        order_id = buyer.buy()
        buyer.post(f"/checkout/{order_id}/cancel")
        shop.work()
        assert buyer.state(order_id) == "cancelled"


class TestMending:
    def found(self, shop):
        with shop.app.app_context():
            return mend()

    def test_there_is_nothing_to_mend_in_an_honest_history(self, buyer, shop, clock):
        order_id = buyer.buy()
        shop.buyer(email="second@example.com").buy()
        clock.travel(minutes=5)
        assert self.found(shop) == 0
        shop.pay(order_id)
        shop.notify(order_id)
        clock.travel(minutes=5)
        assert self.found(shop) == 0

    @pytest.mark.parametrize("loss", ["DELETE FROM outbox", "UPDATE outbox SET status = 'done'"])
    def test_an_attempt_that_nobody_watches(self, buyer, shop, clock, loss):
        order_id = buyer.buy()
        spoil(shop, loss)
        shop.pay(order_id)
        clock.travel(minutes=3)
        shop.work(2)
        assert buyer.state(order_id) == "delivered"

    def test_an_attempt_that_nobody_opens(self, buyer, shop, clock, sandbox):
        sandbox.control("POST", "/control/faults", {"route": "create", "kind": "drop", "times": 1})
        order_id = buyer.buy()
        spoil(shop, "DELETE FROM outbox")
        clock.travel(minutes=3)
        shop.work(2)
        assert buyer.state(order_id) == "awaiting_payment"

    @pytest.mark.parametrize("also", ["", "UPDATE payments SET status = 'closed', open_key = NULL"])
    def test_an_order_that_nobody_closes(self, buyer, shop, clock, sandbox, also):
        order_id = buyer.buy()
        sandbox.control("POST", "/control/faults", {"route": "*", "kind": "drop", "times": 1})
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.state(order_id) == "confirming"
        spoil(shop, "DELETE FROM outbox")
        if also:
            spoil(shop, also)
        clock.travel(minutes=3)
        shop.work(2)
        assert buyer.state(order_id) == "cancelled"

    def test_a_paid_order_whose_license_nobody_makes(self, buyer, shop, clock, tools):
        order_id = buyer.buy()
        key = active_key_file(tools.key_ring)
        away = key.rename(key.with_suffix(".away"))
        shop.pay(order_id)
        shop.notify(order_id)
        away.rename(key)
        spoil(shop, "DELETE FROM outbox")
        assert buyer.state(order_id) == "delivering"
        clock.travel(minutes=3)
        shop.work(2)
        assert buyer.state(order_id) == "delivered"

    def test_a_license_that_no_mail_carries(self, buyer, shop, clock, mails):
        order_id = buyer.buy()
        shop.pay(order_id)
        shop.notify(order_id)
        spoil(shop, "DELETE FROM outbox")
        clock.travel(minutes=3)
        shop.work(2)
        assert len(mails()) == 1
        clock.travel(minutes=3)
        shop.work(2)
        assert len(mails()) == 1

    def test_a_completed_order_without_a_license_is_a_case(self, buyer, shop, clock, count):
        order_id = buyer.buy()
        shop.pay(order_id)
        shop.notify(order_id)
        spoil(shop, "DELETE FROM licenses")
        shop.work(2)
        assert count(Case, Case.kind == CaseKind.DEAD_LETTER.value) == 1

    def test_what_has_just_begun_is_left_alone(self, buyer, shop, clock):
        buyer.buy()
        spoil(shop, "DELETE FROM outbox")
        clock.travel(seconds=60)
        assert self.found(shop) == 0

    def test_a_sweep_says_how_much_it_mended(self, buyer, shop, clock, tools):
        buyer.buy()
        spoil(shop, "DELETE FROM outbox")
        clock.travel(minutes=3)
        with shop.app.app_context():
            assert jobs.sweep(tools).mended == 1
            db.session.rollback()
            moment = db.session.scalar(sa.select(Job.created_at).where(Job.kind == "watch_payment"))
        assert moment is not None
        assert abs(moment - clock.now()) < timedelta(minutes=1)
