"""Query by either number, and close."""

from __future__ import annotations

import pytest


def code_and_status(answer):
    return answer.status_code, answer.json()["code"]


class TestQuery:
    def test_an_unpaid_order_has_no_payment_fields(self, merchant):
        number, _ = merchant.placed(attach="a", scene_info={"payer_client_ip": "1.2.3.4", "device_id": "d"})
        assert merchant.query(number).json() == {
            "appid": merchant.appid,
            "mchid": merchant.mchid,
            "out_trade_no": number,
            "trade_state": "NOTPAY",
            "trade_state_desc": "订单未支付",
            "attach": "a",
            "scene_info": {"device_id": "d"},
        }

    def test_a_paid_order_has_them_all(self, sandbox, merchant):
        number, code_url = merchant.placed()
        sandbox.post("/pay", code_url=code_url, user="oSomebody", amount_payer=9800)
        told = merchant.query(number).json()
        assert (told["trade_state"], told["trade_type"]) == ("SUCCESS", "NATIVE")
        assert told["transaction_id"].startswith("42000")
        assert len(told["transaction_id"]) == 28
        assert told["payer"] == {"openid": "oSomebody"}
        expected = {"total": 9900, "payer_total": 9800, "currency": "CNY", "payer_currency": "CNY"}
        assert told["amount"] == expected
        assert told["promotion_detail"][0]["amount"] == 100
        assert told["success_time"].endswith("+08:00")
        assert not {"description", "notify_url", "time_expire", "detail"} & told.keys()

    def test_the_transaction_id_finds_the_same_order(self, sandbox, merchant):
        number, code_url = merchant.placed()
        transaction_id = sandbox.post("/pay", code_url=code_url)["transaction_id"]
        answer = merchant.call("GET", f"/v3/pay/transactions/id/{transaction_id}?mchid={merchant.mchid}")
        assert answer.json() == merchant.query(number).json()

    def test_unknown_numbers_are_404(self, merchant, other_merchant):
        number, _ = other_merchant.placed()
        assert code_and_status(merchant.query(number)) == (404, "ORDER_NOT_EXIST")
        by_id = merchant.call("GET", f"/v3/pay/transactions/id/4200000000?mchid={merchant.mchid}")
        assert code_and_status(by_id) == (404, "ORDER_NOT_EXIST")
        assert by_id.headers["Request-ID"].endswith("-268512771")

    @pytest.mark.parametrize("query", ["", "?mchid=", "?mchid=1900000001", "?mch_id=1"])
    def test_mchid_is_required_and_must_be_the_signers(self, merchant, query):
        number, _ = merchant.placed()
        answer = merchant.call("GET", f"/v3/pay/transactions/out-trade-no/{number}{query}")
        assert code_and_status(answer) == (400, "PARAM_ERROR")

    def test_a_malformed_number_is_a_param_error_of_the_url(self, merchant):
        answer = merchant.query("ABC")
        assert code_and_status(answer) == (400, "PARAM_ERROR")
        assert answer.json()["detail"]["location"] == "url"

    def test_an_expired_order_stays_unpaid_until_seven_days_have_passed(self, sandbox, merchant):
        number, code_url = merchant.placed(time_expire="2020-01-01T00:00:00+08:00")
        sandbox.post("/clock", offset=3600)
        assert merchant.query(number).json()["trade_state"] == "NOTPAY"
        assert sandbox.try_post("/pay", code_url=code_url).json()["error"] == "order_expired"
        sandbox.post("/clock", offset=7 * 86400 + 10)
        assert merchant.query(number).json()["trade_state"] == "CLOSED"


class TestClose:
    def test_it_answers_204_as_often_as_it_is_asked(self, merchant):
        number, _ = merchant.placed()
        for _ in range(2):
            answer = merchant.close(number)
            assert (answer.status_code, answer.content) == (204, b"")
            assert merchant.verifies(answer.headers, b"")
        assert merchant.query(number).json()["trade_state"] == "CLOSED"

    def test_a_closed_order_cannot_be_paid(self, sandbox, merchant):
        number, code_url = merchant.placed()
        merchant.close(number)
        refused = sandbox.try_post("/pay", code_url=code_url)
        assert (refused.status_code, refused.json()["error"]) == (409, "order_closed")

    def test_a_paid_order_cannot_be_closed(self, sandbox, merchant):
        number, code_url = merchant.placed()
        sandbox.post("/pay", code_url=code_url)
        assert code_and_status(merchant.close(number)) == (400, "ORDERPAID")

    def test_a_payment_under_way_may_win(self, sandbox, merchant):
        number, _ = merchant.placed()
        sandbox.post("/faults", route="close", kind="pay_first", times=1)
        assert code_and_status(merchant.close(number)) == (400, "ORDERPAID")
        assert merchant.query(number).json()["trade_state"] == "SUCCESS"

    @pytest.mark.parametrize("fields", [{}, {"mch_id": "1"}, {"mchid": "1900000001"}, {"mchid": 5}])
    def test_the_body_must_name_the_signer(self, merchant, fields):
        number, _ = merchant.placed()
        answer = merchant.call("POST", f"/v3/pay/transactions/out-trade-no/{number}/close", fields)
        assert code_and_status(answer) == (400, "PARAM_ERROR")
