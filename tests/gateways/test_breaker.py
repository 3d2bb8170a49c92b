"""A gateway that is away stops nobody but new orders, and is not flooded when it is back (F6, F7, F39)."""

import threading
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from portal.gateways.base import GatewayUnknown
from portal.gateways.breaker import Breaker, taking_turns
from portal.gateways.health import GatewayHealth
from portal.kit import clock as portal_clock
from portal.kit.db import db, transaction
from portal.licenses.models import License
from portal.orders.models import Order
from portal.payments.models import Payment
from tests.support.editors import editor_of

pytestmark = pytest.mark.database

DOWN = {"route": "*", "kind": "5xx"}


@pytest.fixture
def breaker(app, clock):
    with app.app_context():
        yield Breaker("wechat_pay")


@pytest.fixture
def pauses(app):
    """How long was waited, each time, while the clock stands still."""
    moment, waited = datetime.now(UTC), list[float]()
    with portal_clock.replaced(lambda: moment, waited.append), app.app_context():
        yield waited


@pytest.fixture
def break_down(sandbox, tools, app):
    """Make WeChat fail until the breaker is open."""

    def down(**fault):
        sandbox.control("POST", "/control/faults", DOWN | fault)
        with app.app_context():
            for _ in range(5):
                with pytest.raises(GatewayUnknown):
                    tools.gateway("wechat_pay").ping()

    return down


@pytest.fixture
def heal(sandbox):
    return lambda: sandbox.control("DELETE", "/control/faults")


def requests(sandbox):
    return len(sandbox.control("GET", "/control/requests?limit=1000")["requests"])


def fail(breaker, times):
    for _ in range(times):
        breaker.failed("503")


class TestBreaker:
    def test_it_opens_after_five_failures_in_a_row(self, breaker):
        fail(breaker, 4)
        breaker.admit()
        breaker.failed("503")
        with pytest.raises(GatewayUnknown, match="breaker open"):
            breaker.admit()

    def test_a_good_answer_between_them_begins_the_count_anew(self, breaker):
        fail(breaker, 4)
        breaker.succeeded()
        fail(breaker, 4)
        breaker.admit()

    def test_another_process_knows(self, breaker, clock):
        other = Breaker("wechat_pay")
        other.admit()
        fail(breaker, 5)
        clock.travel(seconds=2)
        with pytest.raises(GatewayUnknown):
            other.admit()
        assert other.refuses_orders() is not None

    def test_failures_of_several_processes_add_up(self, breaker, clock):
        for _ in range(5):
            Breaker("wechat_pay").failed("503")
        assert breaker.state().is_open

    def test_one_probe_goes_out_every_fifteen_seconds(self, breaker, clock):
        fail(breaker, 5)
        for _ in range(3):
            clock.travel(seconds=13)
            with pytest.raises(GatewayUnknown):
                breaker.admit()
            clock.travel(seconds=3)
            breaker.admit()
            with pytest.raises(GatewayUnknown):
                breaker.admit()
            breaker.failed("503")

    def test_of_many_who_would_probe_at_once_one_does(self, breaker, clock, app):
        fail(breaker, 5)
        clock.travel(seconds=16)
        ready, admitted = threading.Barrier(8), []

        def try_it() -> None:
            with app.app_context():
                own = Breaker("wechat_pay")
                own.state()
                ready.wait(10)
                try:
                    own.admit()
                except GatewayUnknown:
                    return
                admitted.append(1)

        threads = [threading.Thread(target=try_it) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(admitted) == 1

    def test_the_first_good_answer_closes_it(self, breaker, clock, caplog):
        fail(breaker, 5)
        clock.travel(seconds=16)
        breaker.admit()
        breaker.succeeded()
        breaker.admit()
        assert breaker.refuses_orders() is None
        alerts = [record.message for record in caplog.records if getattr(record, "alert", False)]
        assert alerts == ["gateway breaker open", "gateway breaker closed"]

    def test_a_healthy_gateway_costs_no_write(self, breaker, count):
        breaker.admit()
        breaker.succeeded()
        assert count(GatewayHealth) == 0

    def test_without_a_worker_that_probes_an_order_may(self, breaker, clock):
        fail(breaker, 5)
        clock.travel(seconds=74)
        assert breaker.refuses_orders() is not None
        clock.travel(seconds=3)
        assert breaker.refuses_orders() is None


class TestTurns:
    def test_calls_of_workers_go_out_five_a_second(self, pauses):
        one, other = Breaker("wechat_pay"), Breaker("wechat_pay")
        with taking_turns():
            for _ in range(5):
                one.admit()
                other.admit()
        assert pauses == pytest.approx([turn * 0.2 for turn in range(1, 10)])

    def test_one_that_would_wait_too_long_leaves_it_to_those_who_drain(self, pauses):
        breaker = Breaker("wechat_pay")
        with taking_turns():
            for _ in range(26):
                breaker.admit()
            with pytest.raises(GatewayUnknown, match="busy"):
                breaker.admit()

    def test_two_at_once_never_have_the_same_turn(self, app, clock, breaker):
        ready, turns = threading.Barrier(4), list[datetime]()

        def take() -> None:
            with app.app_context():
                own = Breaker("wechat_pay")
                ready.wait(10)
                turns.extend(own._take_turn() for _ in range(3))

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(turns)) == 12

    def test_a_learners_call_waits_for_no_turn(self, breaker, clock):
        for _ in range(30):
            breaker.admit()
        assert clock.slept == []


class TestWhatCounts:
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "5xx"},
            {"kind": "drop"},
            {"kind": "unsigned"},
            {"kind": "html"},
            {"kind": "error", "status": 401, "code": "SIGN_ERROR", "message": "no"},
        ],
        ids=lambda fault: fault["kind"],
    )
    def test_a_failure_of_the_gateway_or_of_our_credentials(self, shop, tools, app, sandbox, fault):
        order_id = shop.buyer().buy()
        number = shop.payment(order_id).out_trade_no
        sandbox.control("POST", "/control/faults", {"route": "query", **fault})
        with app.app_context():
            for _ in range(5):
                with pytest.raises(GatewayUnknown):
                    tools.gateway("wechat_pay").query_payment(number)
            assert tools.gateway("wechat_pay").is_away()

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "429"},
            {"kind": "error", "status": 403, "code": "RULE_LIMIT", "message": "no"},
            {"kind": "error", "status": 404, "code": "ORDER_NOT_EXIST", "message": "no"},
        ],
        ids=["429", "refusal", "not found"],
    )
    def test_a_refusal_is_none(self, tools, app, sandbox, fault):
        sandbox.control("POST", "/control/faults", {"route": "query", **fault})
        with app.app_context():
            for _ in range(6):
                with suppress(GatewayUnknown):
                    tools.gateway("wechat_pay").ping()
            assert not tools.gateway("wechat_pay").is_away()


class TestWhileItIsAway:
    def test_a_new_order_is_refused_before_anything_is_recorded(self, shop, break_down, count):
        buyer = shop.buyer()
        break_down()
        response = buyer.post(
            "/courses/cpp-primer-5th/buy", page="/courses/cpp-primer-5th", headers={"Accept-Language": "en"}
        )
        assert response.status_code == 503
        assert 1 <= int(response.headers["Retry-After"]) <= 16
        assert "you have not been charged" in response.get_data(as_text=True)
        assert (count(Order), count(Payment)) == (0, 0)

    def test_an_editor_is_told_in_its_own_way(self, shop, break_down, count):
        editor = editor_of(shop.buyer())
        break_down()
        response = editor.begin()
        assert (response.status_code, response.get_json()["code"]) == (503, "gateway_unavailable")
        assert int(response.headers["Retry-After"]) >= 1
        assert count(Order) == 0
        methods = {one["id"]: one for one in editor.get("/payments/methods").get_json()["items"]}
        assert methods["wechat_pay"]["available"] is False

    def test_everything_else_goes_on(self, shop, break_down, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        break_down()
        assert buyer.get("/courses").status_code == 200
        assert buyer.get(f"/checkout/{order_id}").status_code == 200
        assert buyer.get(f"/checkout/{order_id}/qr.svg").status_code == 200
        assert buyer.buy() == order_id
        assert shop.notify(order_id).status_code == 200
        assert count(License) == 1

    def test_cancelling_waits_for_the_gateway(self, shop, clock, break_down, heal):
        buyer = shop.buyer()
        order_id = buyer.buy()
        break_down()
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.state(order_id) == "confirming"
        heal()
        clock.travel(seconds=16)
        shop.work()
        clock.travel(seconds=10)
        shop.work()
        assert buyer.state(order_id) == "cancelled"

    def test_the_worker_asks_once_in_fifteen_seconds_and_counts_no_attempts(
        self, shop, clock, break_down, sandbox
    ):
        shop.buyer().buy()
        break_down()
        before = requests(sandbox)
        for _ in range(8):
            clock.travel(seconds=8)
            shop.work()
        assert requests(sandbox) - before == 4
        with shop.app.app_context():
            attempts = "SELECT MAX(attempts) FROM outbox WHERE kind = 'watch_payment'"
            assert db.session.scalar(sa.text(attempts)) == 0

    def test_once_it_is_back_the_backlog_is_done(self, shop, clock, break_down, heal):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        break_down()
        clock.travel(seconds=31)
        shop.work()
        heal()
        clock.travel(seconds=16)
        shop.work()
        assert buyer.state(order_id) == "delivered"

    def test_orders_are_taken_again(self, shop, clock, break_down, heal):
        break_down()
        heal()
        clock.travel(seconds=16)
        shop.work()
        buyer = shop.buyer()
        assert buyer.state(buyer.buy()) == "awaiting_payment"


def test_a_gateway_that_cannot_be_noted_answers_all_the_same(breaker, monkeypatch):
    def gone(*_args, **_options):
        raise sa.exc.OperationalError("UPDATE", None, Exception(2006, "server has gone away"))

    monkeypatch.setattr("portal.gateways.breaker.ensure_row", gone)
    breaker.failed("503")
    breaker.admit()


def test_the_row_is_read_inside_a_transaction_too(breaker):
    fail(breaker, 5)
    with transaction():
        assert breaker.refuses_orders() is not None
