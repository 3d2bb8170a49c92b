"""A Native order is refused for every field that breaks its rule, and placed otherwise."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest

from tests.sandbox.merchant import NATIVE

EMPTY, LONG = "", "x" * 5000
BAD_FIELDS = [
    ({"appid": None}, "/appid"),
    ({"appid": 5}, "/appid"),
    ({"mchid": None}, "/mchid"),
    ({"mchid": 1900000109}, "/mchid"),
    ({"description": None}, "/description"),
    ({"description": EMPTY}, "/description"),
    ({"description": "课" * 128}, "/description"),
    ({"description": "two\nlines"}, "/description"),
    ({"description": "bell\u0007"}, "/description"),
    ({"out_trade_no": "AB123"}, "/out_trade_no"),
    ({"out_trade_no": "A" * 33}, "/out_trade_no"),
    ({"out_trade_no": "ORDER 01"}, "/out_trade_no"),
    ({"out_trade_no": "订单号一二三"}, "/out_trade_no"),
    ({"out_trade_no": "ORDER01\n"}, "/out_trade_no"),
    ({"attach": "x" * 129}, "/attach"),
    ({"attach": EMPTY}, "/attach"),
    ({"goods_tag": "x" * 33}, "/goods_tag"),
    ({"support_fapiao": "yes"}, "/support_fapiao"),
    ({"time_expire": "2026-01-01 12:00:00"}, "/time_expire"),
    ({"time_expire": "2026-01-01T12:00+08:00"}, "/time_expire"),
    ({"time_expire": "2026-01-01T12:00:00"}, "/time_expire"),
    ({"time_expire": "2026-13-01T12:00:00+08:00"}, "/time_expire"),
    ({"notify_url": None}, "/notify_url"),
    ({"notify_url": "https://shop.example.com/notify?order=1"}, "/notify_url"),
    ({"notify_url": "https://shop.example.com/notify#here"}, "/notify_url"),
    ({"notify_url": "http://shop.example.com/notify"}, "/notify_url"),
    ({"notify_url": "http://192.168.1.7/notify"}, "/notify_url"),
    ({"notify_url": "https://10.0.0.1/notify"}, "/notify_url"),
    ({"notify_url": "shop.example.com/notify"}, "/notify_url"),
    ({"notify_url": "https://shop.example.com/" + "n" * 240}, "/notify_url"),
    ({"amount": None}, "/amount"),
    ({"amount": 100}, "/amount"),
    ({"amount": {}}, "/amount/total"),
    ({"amount": {"total": 0}}, "/amount/total"),
    ({"amount": {"total": -1}}, "/amount/total"),
    ({"amount": {"total": 0.01}}, "/amount/total"),
    ({"amount": {"total": "100"}}, "/amount/total"),
    ({"amount": {"total": True}}, "/amount/total"),
    ({"amount": {"total": 2**63}}, "/amount/total"),
    ({"amount": {"total": 1, "currency": "USD"}}, "/amount/currency"),
    ({"detail": {"goods_detail": []}}, "/detail/goods_detail"),
    (
        {"detail": {"goods_detail": [{"quantity": 1, "unit_price": 1}]}},
        "/detail/goods_detail/0/merchant_goods_id",
    ),
    ({"detail": {"goods_detail": [{"merchant_goods_id": "g"}]}}, "/detail/goods_detail/0/quantity"),
    ({"scene_info": {}}, "/scene_info/payer_client_ip"),
    ({"scene_info": {"payer_client_ip": "10.0.0.256"}}, "/scene_info/payer_client_ip"),
    ({"settle_info": {"profit_sharing": 1}}, "/settle_info/profit_sharing"),
]


@pytest.mark.parametrize(
    ("changes", "field"), BAD_FIELDS, ids=[f"{f}-{i}" for i, (_, f) in enumerate(BAD_FIELDS)]
)
def test_a_field_that_breaks_its_rule_is_named_in_a_param_error(merchant, changes, field):
    answer = merchant.create(merchant.order(**changes))
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "PARAM_ERROR")
    assert (body["detail"]["field"], body["detail"]["location"]) == (field, "body")
    assert body["detail"]["issue"] == body["message"]


def test_the_texts_are_those_merchants_have_met(merchant):
    def message(**changes):
        return merchant.create(merchant.order(**changes)).json()["message"]

    assert message(amount={"total": 0}) == (
        "输入源“/body/amount/total”映射到数值字段“总金额”规则校验失败，值低于最小值 1"
    )
    assert message(out_trade_no="abc") == (
        "输入源“/body/out_trade_no”映射到值字段“商户订单号”字符串规则校验失败，字节数 3，小于最小值 6"
    )
    assert message(amount={"total": 0.01}) == (
        "无法将 JSON 输入源“/body/amount/total”映射到目标字段“总金额”中，此字段需要一个合法的 64 位有符号整数"
    )
    assert (
        message(amount=None) == "输入源“/body/amount”映射到字段“订单金额”必填性规则校验失败，此字段为必填项"
    )
    wrong_currency = merchant.create(merchant.order(amount={"total": 1, "currency": "XYZ"})).json()
    assert wrong_currency["detail"] == {
        "field": "/amount/currency",
        "value": "XYZ",
        "issue": "Currency code is invalid",
        "location": "body",
    }


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"trade_type": "NATIVE"}, "/body/trade_type"),
        ({"amount": {"total": 1, "refund": 1}}, "/body/amount/refund"),
        ({"payer": {"openid": "o"}}, "/body/payer"),
    ],
)
def test_unknown_fields_are_refused(merchant, changes, path):
    answer = merchant.create(merchant.order(**changes))
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "PARAM_ERROR")
    assert body["message"] == "请求中含有未在API文档中定义的参数"
    assert body["detail"] == {"location": None, "value": [path]}
    assert answer.headers["Request-ID"].endswith("-270924358")


def test_null_is_not_a_value(merchant):
    answer = merchant.call("POST", NATIVE, merchant.order() | {"attach": None})
    assert (answer.status_code, answer.json()["code"]) == (400, "PARAM_ERROR")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"5", b"{", b"\xff\xfe", b'{"a":NaN}', b'{"a":1e999}', b"[" * 9000, b'{"a":' * 9000]
)
def test_a_body_that_is_no_json_object_is_an_invalid_request(merchant, body):
    answer = merchant.call("POST", NATIVE, body=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


def test_halves_of_surrogate_pairs_are_refused(merchant):
    body = json.dumps(merchant.order(description="\ud83d")).encode()
    answer = merchant.call("POST", NATIVE, body=body)
    assert (answer.status_code, answer.json()["detail"]["field"]) == (400, "/description")


def test_the_body_must_be_called_json(merchant):
    answer = merchant.create(merchant.order(), headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


def test_the_merchant_of_the_header_must_be_that_of_the_body(merchant, other_merchant):
    answer = merchant.create(merchant.order(mchid=other_merchant.mchid))
    assert (answer.status_code, answer.json()["code"]) == (400, "PARAM_ERROR")
    assert answer.json()["detail"]["field"] == "/mchid"


def test_the_appid_must_be_bound_to_the_merchant(merchant, other_merchant):
    answer = merchant.create(merchant.order(appid=other_merchant.appid))
    assert (answer.status_code, answer.json()["code"]) == (400, "APPID_MCHID_NOT_MATCH")


def test_a_refused_order_does_not_use_its_number_up(merchant):
    fields = merchant.order(amount={"total": 0})
    assert merchant.create(fields).status_code == 400
    assert merchant.create(fields | {"amount": {"total": 1}}).status_code == 200


def test_everything_the_page_documents_is_accepted(merchant):
    answer = merchant.create(
        merchant.order(
            description="课" * 127,
            time_expire="2099-01-01T12:00:00+08:00",
            attach="x" * 128,
            goods_tag="WXG",
            support_fapiao=True,
            notify_url="https://shop.example.com:8443/pay/notify",
            detail={
                "cost_price": 20000,
                "invoice_id": "wx123",
                "goods_detail": [
                    {
                        "merchant_goods_id": "course_1",
                        "wechatpay_goods_id": "1001",
                        "goods_name": "课程",
                        "quantity": 1,
                        "unit_price": 9900,
                    }
                ],
            },
            scene_info={
                "payer_client_ip": "2001:db8::1",
                "device_id": "013467007045764",
                "store_info": {"id": "0001", "name": "门店", "area_code": "440305", "address": "南山区"},
            },
            settle_info={"profit_sharing": False},
        )
    )
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["code_url"]
    assert re.fullmatch(r"weixin://wxpay/bizpayurl\?pr=[0-9A-Za-z]{9}", answer.json()["code_url"])


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/n", "http://localhost/n", "http://[::1]:8000/n"])
def test_loopback_may_be_notified_over_plain_http(merchant, url):
    answer = merchant.create(merchant.order(notify_url=url))
    # The gateway's own pattern has no place for an IPv6 address.
    assert answer.status_code == (400 if "[" in url else 200)


class TestTimeExpire:
    def pay_until(self, sandbox, merchant, moment):
        number, _ = merchant.placed(time_expire=moment.isoformat(timespec="seconds"))
        return sandbox.get(f"/orders/{number}")["pay_until"]

    def now(self, sandbox):
        return datetime.fromtimestamp(sandbox.world.clock.now()).astimezone()

    def test_it_is_the_deadline_of_payment(self, sandbox, merchant):
        deadline = self.now(sandbox) + timedelta(minutes=15)
        assert self.pay_until(sandbox, merchant, deadline) == int(deadline.timestamp())

    @pytest.mark.parametrize("seconds", [-3600, 0, 30])
    def test_less_than_a_minute_ahead_is_raised_to_a_minute(self, sandbox, merchant, seconds):
        now = self.now(sandbox)
        until = self.pay_until(sandbox, merchant, now + timedelta(seconds=seconds))
        assert 59 <= until - now.timestamp() <= 62

    def test_more_than_seven_days_ahead_becomes_seven_days(self, sandbox, merchant):
        now = self.now(sandbox)
        until = self.pay_until(sandbox, merchant, now + timedelta(days=30))
        assert until - now.timestamp() == pytest.approx(7 * 86400, abs=2)
