"""Requests are authorized in the gateway's order and refused in the gateway's words."""

from __future__ import annotations

import base64
import json

import pytest

from tests.sandbox.merchant import NATIVE

CERTIFICATES = "/v3/certificates"
MALFORMED = "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"


def refusal(answer):
    """Status, code and message of an error, after looking at what all errors have in common."""
    assert not [name for name in answer.headers if name.startswith("Wechatpay-")]
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    body = answer.json()
    return answer.status_code, body["code"], body["message"]


class TestRoutes:
    @pytest.mark.parametrize(
        "path", ["/v3", "/v3/nothing", "/v3/pay/transactions/native/", "//v3/certificates/x"]
    )
    def test_an_unknown_route_is_404_with_an_empty_body(self, merchant, path):
        answer = merchant.call("GET", path)
        assert (answer.status_code, answer.content) == (404, b"")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", NATIVE),
            ("DELETE", NATIVE),
            ("OPTIONS", NATIVE),
            ("POST", CERTIFICATES),
            ("HEAD", CERTIFICATES),
        ],
    )
    def test_a_wrong_method_is_405_with_an_empty_body(self, merchant, method, path):
        answer = merchant.call(method, path)
        assert (answer.status_code, answer.content) == (405, b"")


class TestHeader:
    @pytest.mark.parametrize("header", [None, "", "Bearer abc", "nonsense"])
    def test_orders_call_a_missing_or_foreign_authorization_unsigned(self, merchant, header):
        answer = merchant.call("POST", NATIVE, merchant.order(), headers={"Authorization": header})
        assert refusal(answer) == (401, "SIGN_ERROR", "签名信息错误，验签失败")

    @pytest.mark.parametrize("header", [None, "", "nonsense", "WECHATPAY2-SHA256-RSA2048 mchid"])
    def test_other_routes_call_it_malformed(self, merchant, header):
        answer = merchant.call("GET", CERTIFICATES, headers={"Authorization": header})
        assert refusal(answer) == (401, "SIGN_ERROR", MALFORMED)

    def test_another_type_word_is_named(self, merchant):
        good = merchant.authorization("POST", NATIVE, b"{}")
        header = good.replace("WECHATPAY2-SHA256-RSA2048", "WECHATPAY2-SM2-WITH-SM3")
        answer = merchant.call("POST", NATIVE, body=b"{}", headers={"Authorization": header})
        assert refusal(answer) == (401, "SIGN_ERROR", "HTTP头Authorization认证类型不正确")

    @pytest.mark.parametrize(
        "damage", [(",", ", "), ('"', "'"), ("nonce_str", "nonce"), ("mchid=", "mchid =")]
    )
    def test_the_pairs_must_be_written_exactly(self, merchant, damage):
        header = merchant.authorization("GET", CERTIFICATES, b"").replace(*damage)
        answer = merchant.call("GET", CERTIFICATES, headers={"Authorization": header})
        assert refusal(answer) == (401, "SIGN_ERROR", MALFORMED)

    def test_the_pairs_may_come_in_any_order(self, merchant):
        kind, pairs = merchant.authorization("GET", CERTIFICATES, b"").split(" ")
        header = kind + " " + ",".join(reversed(pairs.split(",")))
        assert merchant.call("GET", CERTIFICATES, headers={"Authorization": header}).status_code == 404

    def test_a_401_of_an_order_has_no_request_id_and_others_have(self, merchant):
        order = merchant.call("POST", NATIVE, {}, headers={"Authorization": None})
        other = merchant.call("GET", CERTIFICATES, headers={"Authorization": None})
        assert "Request-ID" not in order.headers
        assert other.headers["Request-ID"].endswith("-268443699")


class TestTimestamp:
    @pytest.mark.parametrize("offset", [-301, 301, -86400])
    def test_more_than_five_minutes_off_is_refused_before_the_signature_is_looked_at(
        self, sandbox, merchant, offset
    ):
        moment = int(sandbox.world.clock.now()) + offset
        header = merchant.authorization("POST", NATIVE, b"{}", timestamp=moment, signature="AAAA")
        answer = merchant.call("POST", NATIVE, body=b"{}", headers={"Authorization": header})
        message = "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"
        assert refusal(answer) == (401, "SIGN_ERROR", message)

    @pytest.mark.parametrize("offset", [-295, 295])
    def test_less_is_accepted(self, sandbox, merchant, offset):
        sandbox.post("/clock", offset=1000)
        fields = merchant.order()
        body = json.dumps(fields).encode()
        moment = int(sandbox.world.clock.now()) + offset
        header = merchant.authorization("POST", NATIVE, body, timestamp=moment)
        assert merchant.call("POST", NATIVE, body=body, headers={"Authorization": header}).status_code == 200


class TestSignature:
    def test_a_signature_over_another_body_is_wrong(self, merchant):
        header = merchant.authorization("POST", NATIVE, b"{}")
        answer = merchant.call("POST", NATIVE, merchant.order(), headers={"Authorization": header})
        assert refusal(answer) == (401, "SIGN_ERROR", "签名错误")
        detail = answer.json()["detail"]
        assert detail["detail"]["issue"] == "sign not match"
        assert detail["sign_information"]["url"] == NATIVE

    def test_a_query_forgotten_in_the_signature_is_wrong(self, merchant):
        path = "/v3/pay/transactions/out-trade-no/ABCDEF"
        header = merchant.authorization("GET", path, b"")
        answer = merchant.call("GET", f"{path}?mchid={merchant.mchid}", headers={"Authorization": header})
        assert refusal(answer) == (401, "SIGN_ERROR", "签名错误")

    def test_the_path_is_signed_as_it_is_sent_percent_encoding_included(self, merchant):
        number = "A|B*C-DE"
        merchant.placed(number)
        encoded = f"/v3/pay/transactions/out-trade-no/A%7CB*C-DE?mchid={merchant.mchid}"
        assert merchant.call("GET", encoded).json()["out_trade_no"] == number
        unencoded = merchant.authorization("GET", encoded.replace("%7C", "|"), b"")
        assert merchant.call("GET", encoded, headers={"Authorization": unencoded}).status_code == 401

    @pytest.mark.parametrize("signature", ["AAAA", "not base64!", base64.b64encode(bytes(256)).decode()])
    def test_any_other_text_is_no_signature(self, merchant, signature):
        header = merchant.authorization("GET", CERTIFICATES, b"", signature=signature)
        answer = merchant.call("GET", CERTIFICATES, headers={"Authorization": header})
        assert refusal(answer) == (401, "SIGN_ERROR", "签名错误")

    @pytest.mark.parametrize("change", [{"serial_no": "0" * 40}, {"mchid": "1900000001"}])
    def test_an_unknown_merchant_or_serial_is_named(self, merchant, change):
        header = merchant.authorization("GET", CERTIFICATES, b"", **change)
        answer = merchant.call("GET", CERTIFICATES, headers={"Authorization": header})
        assert refusal(answer)[2].startswith("商户证书序列号有误。")

    @pytest.mark.parametrize(
        ("state", "message"), [("expired", "商户证书已过期"), ("revoked", "商户证书已作废")]
    )
    def test_a_merchant_certificate_can_be_past_its_time(
        self, sandbox, merchant, other_merchant, state, message
    ):
        sandbox.post("/switch", merchant_certificate=state)
        assert refusal(merchant.create(merchant.order())) == (401, "SIGN_ERROR", message)
        assert other_merchant.create(other_merchant.order()).status_code == 200


class TestUserAgent:
    @pytest.mark.parametrize("header", ["User-Agent", "Accept"])
    def test_certificates_insist_on_both_headers_before_anything_else(self, merchant, header):
        headers = {header: "", "Authorization": None}
        answer = merchant.call("GET", CERTIFICATES, headers=headers)
        assert refusal(answer) == (400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent")

    def test_orders_do_not(self, merchant):
        assert merchant.create(merchant.order(), headers={"User-Agent": ""}).status_code == 200
