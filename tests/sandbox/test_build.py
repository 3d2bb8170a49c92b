"""Notifications on demand: genuine ones, and ones wrong in exactly one way."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.exceptions import InvalidTag

NUMBER = "BUILD-0001"


@pytest.fixture
def build(sandbox):
    def post(out_trade_no=NUMBER, **fields):
        built = sandbox.post("/notifications/build", out_trade_no=out_trade_no, **fields)
        return built["headers"], built["body"].encode()

    return post


@pytest.fixture
def resource(build, merchant):
    def read(**fields):
        return json.loads(merchant.decrypt(json.loads(build(**fields)[1])["resource"]))

    return read


def test_a_built_notification_is_genuine_and_nothing_is_delivered(build, merchant, sandbox):
    headers, body = build()
    assert merchant.verifies(headers, body)
    assert sandbox.get("/state")["deliveries"] == 0


def test_defaults_are_those_of_a_payment(resource, merchant):
    told = resource()
    assert (told["mchid"], told["appid"], told["out_trade_no"]) == (merchant.mchid, merchant.appid, NUMBER)
    assert (told["trade_state"], told["trade_type"]) == ("SUCCESS", "NATIVE")
    assert told == resource() | {"success_time": told["success_time"]}
    assert len(told["transaction_id"]) == 28


def test_the_amount_is_the_orders(resource, merchant):
    merchant.placed(NUMBER, attach="a")
    assert resource()["amount"]["total"] == 9900
    assert resource()["attach"] == "a"


def test_a_paid_order_is_told_as_it_was_paid(resource, merchant, sandbox, build):
    _, code_url = merchant.placed(NUMBER)
    paid = sandbox.post("/pay", code_url=code_url, notify=False)
    (notification,) = sandbox.get("/notifications", out_trade_no=NUMBER)["notifications"]
    assert resource() == paid
    assert json.loads(build()[1])["id"] == notification["id"]
    assert json.loads(build(new_event_id=True)[1])["id"] != notification["id"]


def test_fields_can_be_set_and_removed(resource):
    told = resource(mutate={"amount.total": 1, "payer": None, "trade_state": "CLOSED", "new.deep": [1]})
    assert (told["amount"]["total"], told["trade_state"], told["new"]) == (1, "CLOSED", {"deep": [1]})
    assert "payer" not in told


def test_the_envelope_can_be_changed_too(build):
    outer = json.loads(build(event_type="REFUND.SUCCESS", outer={"id": "EV-1", "summary": None})[1])
    assert (outer["id"], outer["event_type"]) == ("EV-1", "REFUND.SUCCESS")
    assert outer["resource"]["original_type"] == "refund"
    assert "summary" not in outer


def test_raw_texts_are_used_as_they_are(build, merchant):
    headers, body = build(raw_body="not json\n")
    assert body == b"not json\n"
    assert merchant.verifies(headers, body)
    sealed = json.loads(build(raw_resource="[]")[1])["resource"]
    assert merchant.decrypt(sealed) == "[]"


class TestSigned:
    @pytest.mark.parametrize("sign", ["bad", "signtest", "signtest_short", "unknown_serial", "certificate"])
    def test_these_do_not_verify_for_a_merchant_with_the_public_key(self, build, merchant, sign):
        headers, body = build(sign=sign)
        assert not merchant.verifies(headers, body)

    @pytest.mark.parametrize("sign", ["bad", "signtest"])
    def test_these_are_whole_signatures_in_form(self, build, sign):
        assert len(base64.b64decode(build(sign=sign)[0]["Wechatpay-Signature"], validate=True)) == 256

    def test_the_short_probe_is_not_even_base64(self, build):
        signature = build(sign="signtest_short")[0]["Wechatpay-Signature"]
        assert signature.startswith("WECHATPAY/SIGNTEST/")
        assert len(signature) % 4

    def test_the_certificate_is_a_genuine_one(self, build, merchant, sandbox):
        merchant.trust(sandbox.world.keys.certificates[0].pem)
        assert merchant.verifies(*build(sign="certificate"))

    def test_none_has_no_signature_headers(self, build):
        assert not [name for name in build(sign="none")[0] if name.startswith("Wechatpay")]

    def test_another_merchants_is_genuine_for_the_other_merchant(self, build, merchant, other_merchant):
        headers, body = build(sign="other_merchant")
        assert other_merchant.verifies(headers, body)
        assert not merchant.verifies(headers, body)
        told = json.loads(other_merchant.decrypt(json.loads(body)["resource"]))
        assert told["mchid"] == other_merchant.mchid

    def test_the_wrong_apiv3_key_verifies_and_does_not_decrypt(self, build, merchant):
        headers, body = build(apiv3_key="wrong")
        assert merchant.verifies(headers, body)
        with pytest.raises(InvalidTag):
            merchant.decrypt(json.loads(body)["resource"])

    def test_an_old_one_is_rightly_signed(self, build, merchant, sandbox):
        headers, body = build(timestamp_offset=-301)
        assert merchant.verifies(headers, body)
        assert int(headers["Wechatpay-Timestamp"]) <= sandbox.world.clock.now() - 301
