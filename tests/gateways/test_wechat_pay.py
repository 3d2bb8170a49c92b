"""WeChat Pay answers in three ways, and ours tells the truth about each (F3 to F9)."""

import re
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.cases.models import Case, CaseKind
from portal.catalogue.models import Product
from portal.gateways.base import GatewayRejected, GatewayUnknown, NumberSpent, PaymentState
from portal.gateways.breaker import taking_turns
from portal.gateways.wechat_pay import codes
from portal.kit import clock
from portal.kit.db import db, transaction
from portal.licenses.models import License
from portal.orders.models import OrderStatus
from portal.outbox.models import Job
from portal.payments.models import Payment, PaymentStatus
from portal.payments.open import open_payment

pytestmark = pytest.mark.database

# How an answer can fail to be one; each leaves WeChat's own state to be asked about.
UNKNOWN_ANSWERS = [
    {"kind": "accept_then_drop"},
    {"kind": "drop"},
    {"kind": "5xx"},
    {"kind": "429"},
    {"kind": "unsigned"},
    {"kind": "bad_signature"},
    {"kind": "signtest"},
    {"kind": "bad_serial"},
    {"kind": "stale"},
    {"kind": "html"},
    {"kind": "mutate", "set": {"code_url": "https://evil.example/pay"}},
    {"kind": "mutate", "set": {"code_url": None}},
    {"kind": "mutate", "set": {"code_url": 7}},
]


@pytest.fixture
def fault(sandbox):
    """Make WeChat misbehave."""

    def arm(route, **facts):
        sandbox.control("POST", "/control/faults", {"route": route, **facts})

    return arm


@pytest.fixture
def heal(sandbox):
    """Make WeChat well again."""
    return lambda: sandbox.control("DELETE", "/control/faults")


class TestOrdering:
    @pytest.mark.parametrize("answer", UNKNOWN_ANSWERS, ids=lambda answer: str(answer))
    def test_an_unknown_answer_is_asked_again_under_the_same_number(
        self, shop, clock, fault, heal, answer, count
    ):
        fault("create", **answer)
        buyer = shop.buyer()
        order_id = buyer.buy()
        first = shop.payment(order_id)
        assert buyer.state(order_id) in {"gateway_down", "preparing"}
        assert first.code_url is None
        heal()
        clock.travel(seconds=15)
        shop.work()
        assert buyer.state(order_id) == "awaiting_payment"
        again = shop.payment(order_id)
        assert (again.out_trade_no, again.request) == (first.out_trade_no, first.request)
        assert count(Payment) == 1
        books = shop.sandbox.control("GET", "/control/orders")["orders"]
        assert [book["out_trade_no"] for book in books] == [first.out_trade_no]
        assert books[0]["code_url"] == again.code_url

    def test_while_wechat_is_down_the_page_says_so_and_that_nothing_was_charged(self, shop, fault):
        fault("create", kind="5xx")
        buyer = shop.buyer()
        page = buyer.get(f"/checkout/{buyer.buy()}", headers={"Accept-Language": "en"}).get_data(as_text=True)
        assert "not been charged" in page

    def test_the_worker_goes_on_asking_until_wechat_answers(self, shop, clock, fault, heal):
        # The hour's look at complaints is over, so every call below is about the order.
        shop.work()
        fault("*", kind="5xx")
        buyer = shop.buyer()
        order_id = buyer.buy()
        for _ in range(12):
            clock.travel(seconds=11)
            shop.work()
        # After five failures in a row there is but a probe now and then, until one is answered.
        assert shop.calls(order_id, "create") == 5
        heal()
        clock.travel(seconds=16)
        shop.work()
        assert buyer.state(order_id) == "awaiting_payment"

    def test_the_learner_can_ask_too(self, shop, clock, fault, heal):
        fault("create", kind="drop")
        buyer = shop.buyer()
        order_id = buyer.buy()
        heal()
        clock.travel(seconds=6)
        buyer.post(f"/checkout/{order_id}/check")
        assert buyer.state(order_id) == "awaiting_payment"

    @pytest.mark.parametrize(
        ("status", "code"),
        [(400, "PARAM_ERROR"), (400, "APPID_MCHID_NOT_MATCH"), (403, "NO_AUTH"), (400, "MCH_NOT_EXISTS")],
    )
    def test_a_refusal_of_our_request_ends_the_order_and_opens_a_case(self, shop, fault, status, code, count):
        fault("create", kind="error", status=status, code=code, message="no")
        buyer = shop.buyer()
        order_id = buyer.buy()
        assert buyer.state(order_id) == "failed"
        assert shop.payment(order_id).status == PaymentStatus.REJECTED
        assert count(Case, Case.kind == CaseKind.GATEWAY_REJECTED.value) == 1
        assert count(Job, Job.status == "pending", Job.kind == "open_payment") == 0

    def test_our_wrong_signature_is_not_the_learners_failure(self, shop, clock, fault, heal):
        """A 401 passes when our clock or key is mended; the order waits for it (F39)."""
        fault("create", kind="error", status=401, code="SIGN_ERROR", message="签名错误")
        buyer = shop.buyer()
        order_id = buyer.buy()
        assert buyer.state(order_id) == "gateway_down"
        heal()
        clock.travel(seconds=15)
        shop.work()
        assert buyer.state(order_id) == "awaiting_payment"

    def test_a_long_title_is_shortened_and_the_buyers_mark_is_not(self, shop, app, sandbox):
        with app.app_context(), transaction():
            db.session.execute(sa.update(Product).values(title_zh="课" * 120))
        order_id = shop.buyer().buy()
        [book] = shop.books()
        description = shop.payment(order_id).request["description"]
        assert description.startswith("Learning Buddy · 课课")
        assert re.search(r"课 · [A-Z0-9]{4}$", description)
        assert len(description.encode()) <= 127
        assert book["state"] == "NOTPAY"

    @pytest.mark.parametrize("form", ["403", "400"])
    def test_a_number_that_wechat_calls_used_is_closed_and_replaced(
        self, shop, clock, sandbox, form, app, count
    ):
        """F3: the answer was lost, and the parameters are said to differ."""
        sandbox.control("POST", "/control/switch", {"reorder_error": form})
        sandbox.control("POST", "/control/faults", {"route": "create", "kind": "accept_then_drop"})
        buyer = shop.buyer()
        order_id = buyer.buy()
        first = shop.payment(order_id)
        sandbox.control("DELETE", "/control/faults")
        with app.app_context(), transaction():
            changed = {**first.request, "description": "something else"}
            db.session.execute(sa.update(Payment).where(Payment.id == first.id).values(request=changed))
        clock.travel(seconds=15)
        shop.work(2)
        assert count(Payment) == 2
        assert shop.payment(order_id, 0).status == PaymentStatus.CLOSED
        second = shop.payment(order_id)
        assert second.out_trade_no != first.out_trade_no
        assert buyer.state(order_id) == "awaiting_payment"
        assert sandbox.control("GET", f"/control/orders/{first.out_trade_no}")["state"] == "CLOSED"

    @pytest.mark.parametrize("code", ["ORDERPAID", "ORDER_CLOSED", "OUT_TRADE_NO_USED"])
    def test_an_unsigned_word_changes_nothing_by_itself(self, shop, fault, code, count):
        """F9: a query has to confirm it, and here WeChat knows nothing of the number."""
        fault("create", kind="error", status=400, code=code, message="no")
        fault("query", kind="5xx")
        order_id = shop.buyer().buy()
        assert shop.payment(order_id).status == PaymentStatus.CREATED
        assert shop.order(order_id).status == OrderStatus.PENDING
        assert count(License) == 0

    def test_two_askers_at_once_order_once(self, shop, tools, app):
        """Ordering again kills the code before, so a second asker waits."""
        shop.sandbox.control("POST", "/control/faults", {"route": "create", "kind": "drop", "times": 1})
        order_id = shop.buyer().buy()
        payment = shop.payment(order_id)
        with app.app_context():
            with transaction():
                busy = clock.now() + timedelta(seconds=10)
                db.session.execute(sa.update(Payment).where(Payment.id == payment.id).values(call_until=busy))
            assert open_payment(payment.id, tools) is False
        assert shop.calls(order_id, "create") == 1

    def test_nobody_orders_beside_a_worker_that_waited_long_for_its_turn(
        self, shop, clock, tools, app, fault, monkeypatch
    ):
        """Five seconds for the turn and ten for the answer: until then the call is one worker's."""
        fault("create", kind="drop", times=1)
        payment, ordered = shop.payment(shop.buyer().buy()), []

        def slow(request):
            ordered.append(request)
            if len(ordered) == 1:
                clock.travel(seconds=15)
                assert open_payment(payment.id, tools) is False
            return "weixin://wxpay/bizpayurl?pr=slow"

        monkeypatch.setattr(tools.gateway("wechat_pay"), "create_payment", slow)
        with app.app_context(), taking_turns():
            assert open_payment(payment.id, tools) is True
        assert len(ordered) == 1


class TestQuery:
    @pytest.mark.parametrize(
        "answer", [{"kind": "unsigned"}, {"kind": "bad_signature"}, {"kind": "stale"}, {"kind": "5xx"}]
    )
    def test_an_unproven_paid_is_not_believed(self, shop, fault, answer, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        fault("query", **answer)
        buyer.post(f"/checkout/{order_id}/check")
        assert count(License) == 0
        assert shop.order(order_id).status == OrderStatus.PENDING

    def test_an_answer_about_another_amount_is_a_case(self, shop, fault, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        fault("query", kind="mutate", set={"amount": {"total": 1, "currency": "CNY"}})
        buyer.post(f"/checkout/{order_id}/check")
        assert count(License) == 0
        assert count(Case, Case.kind == CaseKind.MISMATCH.value) == 1

    def test_an_answer_about_another_order_is_not_believed(self, shop, fault, count):
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        fault("query", kind="mutate", set={"out_trade_no": "LBT261124000000000000000000"})
        buyer.post(f"/checkout/{order_id}/check")
        assert count(License) == 0

    def test_an_unsigned_no_such_order_does_not_end_it(self, shop, fault):
        buyer = shop.buyer()
        order_id = buyer.buy()
        fault("query", kind="error", status=404, code="ORDER_NOT_EXIST", message="订单不存在")
        buyer.post(f"/checkout/{order_id}/check")
        assert buyer.state(order_id) == "awaiting_payment"

    def test_an_order_closed_in_wechats_console_ends_here(self, shop, tools, app):
        buyer = shop.buyer()
        order_id = buyer.buy()
        number = shop.payment(order_id).out_trade_no
        with app.app_context():
            tools.gateway("wechat_pay").close_payment(number)
        buyer.post(f"/checkout/{order_id}/check")
        assert buyer.state(order_id) == "expired"


class TestClose:
    @pytest.mark.parametrize("kind", ["unsigned", "bad_signature", "accept_then_drop", "5xx"])
    def test_an_unproven_closed_is_asked_about_again(self, shop, clock, fault, heal, kind):
        buyer = shop.buyer()
        order_id = buyer.buy()
        fault("close", kind=kind)
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.state(order_id) == "confirming"
        heal()
        clock.travel(seconds=10)
        shop.work()
        assert buyer.state(order_id) == "cancelled"

    def test_paid_between_query_and_close_is_paid(self, shop, fault, count):
        """F20: the close says "already paid", unsigned; a query decides."""
        buyer = shop.buyer()
        order_id = buyer.buy()
        shop.pay(order_id)
        fault("query", kind="mutate", set={"trade_state": "NOTPAY"}, times=1)
        buyer.post(f"/checkout/{order_id}/cancel")
        assert buyer.state(order_id) == "delivered"
        assert count(License) == 1

    def test_cancelling_an_order_that_wechat_never_heard_of(self, shop, clock, fault, heal):
        fault("create", kind="drop")
        buyer = shop.buyer()
        order_id = buyer.buy()
        heal()
        buyer.post(f"/checkout/{order_id}/cancel")
        clock.travel(seconds=6)
        shop.work()
        assert buyer.state(order_id) == "cancelled"
        clock.travel(seconds=15)
        shop.work()
        assert shop.payment(order_id).code_url is None
        assert buyer.state(order_id) == "cancelled"


class TestKeys:
    def test_a_merchant_with_certificates_is_served_after_they_are_fetched(
        self, shop, tools, app, sandbox, count
    ):
        """While a merchant switches, notifications come signed by either."""
        sandbox.control("POST", "/control/mode", {"mode": "switching"})
        with app.app_context():
            tools.gateway("wechat_pay").refresh_keys()
        order_id = shop.buyer().buy()
        assert shop.notify(order_id, sign="certificate").status_code == 200
        assert count(License) == 1

    def test_a_certificate_we_never_fetched_is_an_unknown_serial(self, shop, sandbox, count):
        sandbox.control("POST", "/control/mode", {"mode": "switching"})
        order_id = shop.buyer().buy()
        before = len(sandbox.control("GET", "/control/requests")["requests"])
        assert shop.notify(order_id, sign="certificate").status_code == 401
        assert len(sandbox.control("GET", "/control/requests")["requests"]) == before
        assert count(License) == 0

    def test_a_key_only_merchant_has_none_to_fetch(self, tools, app, sandbox):
        with app.app_context():
            tools.gateway("wechat_pay").refresh_keys()


class TestAdapter:
    def test_it_refuses_to_speak_inside_a_transaction(self, app, tools):
        with app.app_context(), transaction(), pytest.raises(RuntimeError):
            tools.gateway("wechat_pay").query_payment("LBT2611240000000001")

    @pytest.mark.parametrize("number", ["../x", "a b", "短", "x" * 33, "", "abc", "a?b=c1234"])
    def test_a_number_that_could_change_the_path_never_leaves(self, app, tools, number):
        with app.app_context(), pytest.raises(ValueError, match="not a number"):
            tools.gateway("wechat_pay").query_payment(number)

    def test_an_order_nobody_made_is_not_found(self, app, tools, sandbox):
        with app.app_context():
            notice = tools.gateway("wechat_pay").query_payment("LBT26112400NOSUCHNUMBER")
        assert notice.state is PaymentState.NOT_FOUND

    @pytest.mark.parametrize(
        ("call", "status", "code", "expected"),
        [
            ("create", 400, "PARAM_ERROR", GatewayRejected),
            ("create", 400, "INVALID_REQUEST", NumberSpent),
            ("create", 400, "APPID_MCHID_NOT_MATCH", GatewayRejected),
            ("create", 400, "MCH_NOT_EXISTS", GatewayRejected),
            ("create", 400, "ORDER_CLOSED", NumberSpent),
            ("create", 400, "ORDERPAID", NumberSpent),
            ("create", 400, "ORDER_PAID", NumberSpent),
            ("create", 403, "OUT_TRADE_NO_USED", NumberSpent),
            ("create", 403, "NO_AUTH", GatewayRejected),
            ("create", 403, "ACCOUNT_ERROR", GatewayRejected),
            ("create", 401, "SIGN_ERROR", GatewayUnknown),
            ("create", 429, "FREQUENCY_LIMITED", GatewayUnknown),
            ("create", 429, "RATELIMIT_EXCEEDED", GatewayUnknown),
            ("create", 500, "SYSTEM_ERROR", GatewayUnknown),
            ("create", 500, "BANK_ERROR", GatewayUnknown),
            ("create", 502, None, GatewayUnknown),
            ("create", 503, "SERVICE_UNAVAILABLE", GatewayUnknown),
            ("create", 404, None, GatewayUnknown),
            ("create", 302, None, GatewayUnknown),
            ("query", 400, "PARAM_ERROR", GatewayRejected),
            ("query", 403, "RULE_LIMIT", GatewayUnknown),
            ("query", 403, "TRADE_ERROR", GatewayUnknown),
            ("close", 400, "ORDERPAID", NumberSpent),
            ("close", 403, "TRADE_ERROR", NumberSpent),
            ("close", 404, "ORDERNOTEXIST", NumberSpent),
            ("close", 400, {"not": "a code"}, GatewayUnknown),
        ],
    )
    def test_every_code_has_a_meaning(self, call, status, code, expected):
        with pytest.raises(expected):
            codes.raise_for(call, status, code, None)


@pytest.mark.slow
class TestTime:
    @pytest.mark.parametrize("kind", ["hang", "drip"])
    def test_a_call_ends_within_ten_seconds(self, app, tools, fault, heal, kind):
        fault("query", kind=kind)
        started = time.monotonic()
        with app.app_context(), pytest.raises(GatewayUnknown):
            tools.gateway("wechat_pay").query_payment("LBT2611240000000001")
        heal()
        assert time.monotonic() - started < 10.5
