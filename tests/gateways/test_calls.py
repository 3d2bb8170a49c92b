"""Calls to a gateway are written down for people to read, never in the way of the money."""

import pytest
from sqlalchemy.exc import OperationalError

from portal import jobs
from portal.gateways import calls
from portal.gateways.calls import GatewayCall

pytestmark = pytest.mark.database


def test_calls_are_found_by_the_numbers_of_attempt_and_refund(app, shop):
    buyer = shop.buyer()
    order_id = buyer.buy()
    buyer.post(f"/checkout/{order_id}/cancel", page=f"/checkout/{order_id}")
    shop.work()
    with app.app_context():
        found = calls.calls_about([shop.payment(order_id).out_trade_no])
        assert [(call.method, call.route, call.status, call.verdict) for call in found] == [
            ("POST", "/v3/pay/transactions/native", 200, "ok"),
            ("GET", "/v3/pay/transactions/out-trade-no/{number}", 200, "ok"),
            ("POST", "/v3/pay/transactions/out-trade-no/{number}/close", 204, "ok"),
        ]
        assert all(call.request_id and call.is_good for call in found)
    number = "LBR1"
    assert calls.about("/v3/refund/domestic/refunds", {"out_refund_no": number})[1] == number
    assert calls.about(f"/v3/refund/domestic/refunds/{number}", None)[1] == number
    assert calls.about("/v3/certificates", None)[1] is None


def test_a_call_that_cannot_be_written_down_is_made_all_the_same(shop, count, monkeypatch):
    def fail(*_args, **_values):
        raise OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr(calls, "add_row_alone", fail)
    buyer = shop.buyer()
    order_id = buyer.buy()
    assert buyer.state(order_id) == "awaiting_payment"
    assert count(GatewayCall) == 0


def test_they_are_forgotten_after_half_a_year(app, shop, count, clock):
    shop.buyer().buy()
    clock.travel(days=179)
    with app.app_context():
        jobs.forget_what_is_over()
    assert count(GatewayCall) == 1
    clock.travel(days=2)
    with app.app_context():
        jobs.forget_what_is_over()
    assert count(GatewayCall) == 0
