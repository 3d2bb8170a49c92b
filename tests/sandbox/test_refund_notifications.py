"""What the shop hears of a refund: its end, when it gave an address."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(autouse=True)
def nobody_settles(sandbox):
    sandbox.post("/switch", refund_mode="manual")


@pytest.fixture
def settled(sandbox, merchant, paid, shop):
    def refund(outcome="SUCCESS", **changes):
        told = merchant.refunded(paid(), notify_url=shop.url, **changes)
        sandbox.post(f"/refunds/{told['out_refund_no']}/settle", outcome=outcome)
        return told

    return refund


def resource(merchant, body):
    return json.loads(merchant.decrypt(json.loads(body)["resource"]))


@pytest.mark.parametrize("outcome", ["SUCCESS", "ABNORMAL", "CLOSED"])
def test_each_end_is_told_and_the_state_is_called_refund_status(merchant, shop, settled, outcome):
    told = settled(outcome)
    ((headers, body),) = shop.wait_for(1)
    assert merchant.verifies(headers, body)
    outer, inner = json.loads(body), resource(merchant, body)
    assert outer["event_type"] == f"REFUND.{outcome}"
    assert (outer["resource"]["original_type"], outer["resource"]["associated_data"]) == ("refund", "refund")
    assert inner["refund_status"] == outcome
    assert inner["mchid"] == merchant.mchid
    for name in ("refund_id", "out_refund_no", "out_trade_no", "transaction_id", "user_received_account"):
        assert inner[name] == told[name]
    assert inner["amount"] == {"total": 9900, "refund": 9900, "payer_total": 9900, "payer_refund": 9900}
    assert ("success_time" in inner) == (outcome == "SUCCESS")
    assert not {"status", "channel", "funds_account"} & inner.keys()


def test_it_comes_again_until_it_is_accepted(sandbox, shop, settled, until):
    shop.answers = [500]
    settled()
    shop.wait_for(1)
    until(lambda: sandbox.get("/state")["deliveries"] == 1)
    sandbox.post("/clock", offset=16)
    first, second = (json.loads(body)["id"] for _, body in shop.wait_for(2))
    assert first == second


def test_without_an_address_nobody_is_told(sandbox, merchant, paid):
    told = merchant.refunded(paid(), notify_url=None)
    sandbox.post(f"/refunds/{told['out_refund_no']}/settle")
    (payment,) = sandbox.get("/notifications", out_trade_no=told["out_trade_no"])["notifications"]
    assert payment["event_type"] == "TRANSACTION.SUCCESS"


def test_success_after_abnormal_is_told_as_well(sandbox, merchant, shop, settled):
    told = settled("ABNORMAL")
    sandbox.post(f"/refunds/{told['out_refund_no']}/settle", outcome="SUCCESS")
    events = {json.loads(body)["event_type"] for _, body in shop.wait_for(2)}
    assert events == {"REFUND.ABNORMAL", "REFUND.SUCCESS"}


def test_a_refund_that_ends_by_itself_is_told_without_anybody_asking(sandbox, merchant, paid, shop):
    sandbox.post("/switch", refund_mode="automatic", refund_seconds=0)
    merchant.refunded(paid(), notify_url=shop.url)
    shop.wait_for(1)


@pytest.mark.parametrize("notify", [True, False])
def test_a_console_refund_is_told_if_asked_for(sandbox, merchant, paid, shop, notify):
    number = paid(notify_url=shop.url)
    made = sandbox.post("/refunds/console", out_trade_no=number, out_refund_no="HAND1", notify=notify)
    sandbox.post("/refunds/HAND1/settle")
    if notify:
        ((_, body),) = shop.wait_for(1)
        assert resource(merchant, body)["refund_id"] == made["refund_id"]
    else:
        assert not [
            n
            for n in sandbox.get("/notifications", out_trade_no=number)["notifications"]
            if n["out_refund_no"]
        ]


def test_never_notify_keeps_it_back_and_redelivery_sends_it(sandbox, shop, settled):
    sandbox.post("/switch", never_notify=True)
    told = settled()
    assert shop.received == []
    answer = sandbox.post("/notifications/redeliver", out_refund_no=told["out_refund_no"], times=3)
    assert answer["statuses"] == [204] * 3


class TestBuilt:
    def test_it_is_the_refunds_own_notification(self, sandbox, merchant, settled, shop):
        told = settled()
        ((_, sent),) = shop.wait_for(1)
        built = sandbox.post("/notifications/build", out_refund_no=told["out_refund_no"])
        assert merchant.verifies(built["headers"], built["body"].encode())
        assert json.loads(built["body"])["id"] == json.loads(sent)["id"]
        assert resource(merchant, built["body"]) == resource(merchant, sent)

    @pytest.mark.parametrize("status", ["SUCCESS", "ABNORMAL", "CLOSED"])
    def test_any_end_can_be_told_of_one_under_way(self, sandbox, merchant, paid, status):
        told = merchant.refunded(paid())
        fields = {"out_refund_no": told["out_refund_no"], "refund_status": status}
        built = sandbox.post("/notifications/build", **fields)
        assert json.loads(built["body"])["event_type"] == f"REFUND.{status}"
        assert resource(merchant, built["body"])["refund_status"] == status
        assert (
            json.loads(sandbox.post("/notifications/build", **fields)["body"])["id"]
            == json.loads(built["body"])["id"]
        )

    def test_wrong_in_one_way(self, sandbox, merchant, paid):
        told = merchant.refunded(paid())
        fields = {"out_refund_no": told["out_refund_no"], "mutate": {"amount.refund": 1}, "sign": "bad"}
        built = sandbox.post("/notifications/build", **fields)
        assert resource(merchant, built["body"])["amount"]["refund"] == 1
        assert not merchant.verifies(built["headers"], built["body"].encode())

    def test_of_a_refund_there_is_not(self, sandbox):
        assert sandbox.try_post("/notifications/build", out_refund_no="NOSUCH").status_code == 404

    def test_the_payment_is_still_told_as_paid(self, sandbox, merchant, settled):
        told = settled()
        built = sandbox.post("/notifications/build", out_trade_no=told["out_trade_no"])
        assert resource(merchant, built["body"])["trade_state"] == "SUCCESS"
