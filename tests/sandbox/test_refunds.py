"""Refunds: what is accepted, what becomes of it, and what the order says meanwhile."""

from __future__ import annotations

import secrets

import pytest

from tests.sandbox.merchant import REFUNDS

DAY = 86400


@pytest.fixture(autouse=True)
def nobody_settles(sandbox):
    sandbox.post("/switch", refund_mode="manual")


def refusal(answer):
    return answer.status_code, answer.json()["code"]


class TestAccepted:
    def test_a_refund_is_under_way_and_its_answer_is_signed(self, merchant, paid):
        number = paid()
        fields = merchant.refund_fields(number)
        answer = merchant.refund(fields)
        assert merchant.verifies(answer.headers, answer.content)
        told = answer.json()
        assert told["status"] == "PROCESSING"
        assert (told["out_refund_no"], told["out_trade_no"]) == (fields["out_refund_no"], number)
        assert told["transaction_id"] == merchant.query(number).json()["transaction_id"]
        assert len(told["refund_id"]) == 29
        assert told["refund_id"].startswith("50")
        assert (told["channel"], told["funds_account"]) == ("ORIGINAL", "AVAILABLE")
        assert told["amount"]["refund"] == told["amount"]["total"] == told["amount"]["payer_refund"] == 9900
        assert "success_time" not in told

    def test_by_transaction_id_too(self, merchant, paid):
        number = paid()
        transaction_id = merchant.query(number).json()["transaction_id"]
        told = merchant.refunded(number, transaction_id=transaction_id, out_trade_no=None)
        assert told["out_trade_no"] == number

    def test_the_query_tells_the_same(self, merchant, paid):
        told = merchant.refunded(paid())
        assert merchant.query_refund(told["out_refund_no"]).json() == told

    def test_the_same_refund_again_is_one_refund(self, sandbox, merchant, paid):
        number = paid()
        fields = merchant.refund_fields(number)
        first, second = merchant.refund(fields), merchant.refund(fields)
        assert first.json() == second.json()
        assert len(sandbox.get(f"/orders/{number}")["refunds"]) == 1

    def test_a_coupon_is_not_paid_out(self, sandbox, merchant):
        number, code_url = merchant.placed()
        sandbox.post("/pay", code_url=code_url, notify=False, amount_payer=9801)
        first = merchant.refunded(number, 3333)
        sandbox.post("/clock", offset=61)
        second = merchant.refunded(number, 9900 - 3333)
        assert first["amount"]["payer_refund"] + second["amount"]["payer_refund"] == 9801
        assert first["promotion_detail"][0]["refund_amount"] == 3333 - first["amount"]["payer_refund"]

    @pytest.mark.parametrize("refund", [1, 9900])
    def test_the_order_is_refund_from_then_on(self, merchant, paid, refund):
        number = paid()
        merchant.refunded(number, refund)
        told = merchant.query(number).json()
        assert (told["trade_state"], told["trade_state_desc"]) == ("REFUND", "转入退款")
        assert told["success_time"]
        assert told["amount"]["total"] == 9900

    def test_a_refunded_order_cannot_be_placed_or_closed_again(self, merchant, paid):
        number = paid()
        merchant.refunded(number, 1)
        assert refusal(merchant.close(number)) == (400, "ORDERPAID")


class TestRefused:
    def test_no_such_order_or_an_unpaid_one(self, merchant):
        unpaid, _ = merchant.placed()
        for number in ("NOSUCHORDER", unpaid):
            answer = merchant.refund(merchant.refund_fields(number))
            assert refusal(answer) == (404, "RESOURCE_NOT_EXISTS")
            assert "Wechatpay-Signature" not in answer.headers

    def test_another_merchants_order(self, other_merchant, paid):
        answer = other_merchant.refund(other_merchant.refund_fields(paid()))
        assert refusal(answer) == (404, "RESOURCE_NOT_EXISTS")

    def test_numbers_that_do_not_belong_together(self, merchant, paid):
        transaction_id = merchant.query(paid()).json()["transaction_id"]
        answer = merchant.refund(merchant.refund_fields(paid(), transaction_id=transaction_id))
        assert refusal(answer) == (400, "INVALID_REQUEST")

    def test_another_total_than_the_orders(self, merchant, paid):
        amount = {"refund": 1, "total": 9901, "currency": "CNY"}
        answer = merchant.refund(merchant.refund_fields(paid(), amount=amount))
        assert refusal(answer) == (400, "INVALID_REQUEST")

    def test_the_same_number_for_another_refund(self, merchant, paid):
        number = paid()
        fields = merchant.refund_fields(number, 5000)
        merchant.refund(fields)
        changed = fields | {"amount": fields["amount"] | {"refund": 4999}}
        assert refusal(merchant.refund(changed)) == (400, "INVALID_REQUEST")
        assert merchant.query_refund(fields["out_refund_no"]).json()["amount"]["refund"] == 5000

    def test_more_than_was_paid(self, sandbox, merchant, paid):
        number = paid()
        merchant.refunded(number, 5000)
        sandbox.post("/clock", offset=61)
        assert refusal(merchant.refund(merchant.refund_fields(number, 4901))) == (400, "INVALID_REQUEST")
        assert merchant.refunded(number, 4900)["status"] == "PROCESSING"
        sandbox.post("/clock", offset=122)
        assert merchant.refund(merchant.refund_fields(number, 1)).json()["message"] == "订单已全额退款"

    def test_a_second_part_within_the_minute(self, sandbox, merchant, paid):
        number = paid()
        merchant.refunded(number, 1)
        assert refusal(merchant.refund(merchant.refund_fields(number, 1))) == (429, "FREQUENCY_LIMITED")
        sandbox.post("/switch", refund_interval_error="400")
        assert refusal(merchant.refund(merchant.refund_fields(number, 1))) == (400, "INVALID_REQUEST")
        sandbox.post("/clock", offset=61)
        merchant.refunded(number, 1)

    def test_the_fifty_first_part(self, sandbox, merchant, paid):
        number = paid()
        for part in range(50):
            sandbox.post("/clock", offset=61 * part)
            merchant.refunded(number, 1)
        sandbox.post("/clock", offset=61 * 50)
        answer = merchant.refund(merchant.refund_fields(number, 1))
        assert refusal(answer) == (400, "INVALID_REQUEST")
        assert "50次" in answer.json()["message"]

    def test_after_a_year(self, sandbox, merchant, paid):
        number = paid()
        sandbox.post("/clock", offset=365 * DAY + 60)
        assert refusal(merchant.refund(merchant.refund_fields(number))) == (403, "TRADE_OVERDUE")
        sandbox.post("/clock", offset=365 * DAY - 60)
        merchant.refunded(number)

    @pytest.mark.parametrize(
        ("mode", "code"),
        [("not_enough", "NOT_ENOUGH"), ("user_account_abnormal", "USER_ACCOUNT_ABNORMAL")],
    )
    def test_on_demand_and_the_number_stays_free(self, sandbox, merchant, paid, mode, code):
        fields = merchant.refund_fields(paid())
        sandbox.post("/switch", refund_mode=mode)
        assert refusal(merchant.refund(fields)) == (403, code)
        assert refusal(merchant.query_refund(fields["out_refund_no"])) == (404, "RESOURCE_NOT_EXISTS")
        sandbox.post("/switch", refund_mode="manual")
        assert merchant.refund(fields).status_code == 200

    def test_too_many_failing_calls(self, sandbox, merchant):
        sandbox.post("/switch", refund_failing_limit=True)
        statuses = [merchant.refund({"x": 1}).status_code for _ in range(7)]
        assert statuses == [400] * 6 + [429]

    def test_without_user_agent_before_the_signature_is_looked_at(self, merchant):
        headers = {"User-Agent": "", "Authorization": None}
        answer = merchant.query_refund("R1", headers=headers)
        assert answer.json()["message"] == "Http头缺少Accept或User-Agent"


@pytest.mark.parametrize(
    "changes",
    [
        {"out_trade_no": None},
        {"out_refund_no": None},
        {"out_refund_no": "编号"},
        {"out_refund_no": "R" * 65},
        {"out_refund_no": 5},
        {"reason": "因" * 81},
        {"notify_url": "https://shop.example.com/notify?a=1"},
        {"notify_url": "http://shop.example.com/notify"},
        {"funds_account": "MINE"},
        {"amount": None},
        {"amount": {"refund": 0, "total": 9900, "currency": "CNY"}},
        {"amount": {"refund": 9901, "total": 9900, "currency": "CNY"}},
        {"amount": {"refund": 1, "total": 9900, "currency": "USD"}},
        {"amount": {"refund": 1, "total": 9900}},
        {"amount": {"refund": "1", "total": 9900, "currency": "CNY"}},
        {
            "amount": {
                "refund": 2,
                "total": 9900,
                "currency": "CNY",
                "from": [{"account": "AVAILABLE", "amount": 1}],
            }
        },
        {"goods_detail": [{}]},
        {"mchid": "1900000001"},
        {"attach": "x"},
    ],
)
def test_a_field_that_breaks_a_rule_is_a_param_error(merchant, paid, changes):
    fields = merchant.refund_fields(paid(), **changes)
    assert refusal(merchant.refund(fields)) == (400, "PARAM_ERROR")


def test_an_unknown_refund_number_is_not_found(merchant):
    assert refusal(merchant.query_refund("NOSUCHREFUND")) == (404, "RESOURCE_NOT_EXISTS")
    assert refusal(merchant.query_refund("%E7%BC%96")) == (400, "PARAM_ERROR")
    assert refusal(merchant.query_refund("R1?mchid=1")) == (400, "PARAM_ERROR")


class TestTheEnd:
    def settle(self, sandbox, told, outcome):
        return sandbox.try_post(f"/refunds/{told['out_refund_no']}/settle", outcome=outcome)

    def test_success_has_its_time_and_is_final(self, sandbox, merchant, paid):
        told = merchant.refunded(paid())
        assert self.settle(sandbox, told, "SUCCESS").status_code == 200
        settled = merchant.query_refund(told["out_refund_no"]).json()
        assert (settled["status"], bool(settled["success_time"])) == ("SUCCESS", True)
        for outcome in ("ABNORMAL", "CLOSED", "SUCCESS"):
            assert self.settle(sandbox, told, outcome).status_code == 409

    def test_a_closed_refund_returns_the_sum_and_needs_a_new_number(self, sandbox, merchant, paid):
        number = paid()
        fields = merchant.refund_fields(number)
        told = merchant.refund(fields).json()
        self.settle(sandbox, told, "CLOSED")
        assert merchant.query(number).json()["trade_state"] == "SUCCESS"
        assert merchant.refund(fields).json()["status"] == "CLOSED"
        sandbox.post("/clock", offset=61)
        assert merchant.refunded(number)["status"] == "PROCESSING"

    def test_an_abnormal_refund_still_counts(self, sandbox, merchant, paid):
        number = paid()
        self.settle(sandbox, merchant.refunded(number), "ABNORMAL")
        sandbox.post("/clock", offset=61)
        assert refusal(merchant.refund(merchant.refund_fields(number, 1))) == (400, "INVALID_REQUEST")

    @pytest.mark.parametrize(
        ("mode", "status"), [("automatic", "SUCCESS"), ("abnormal", "ABNORMAL"), ("closed", "CLOSED")]
    )
    def test_it_comes_by_itself_in_the_other_modes(self, sandbox, merchant, paid, mode, status):
        sandbox.post("/switch", refund_mode=mode, refund_seconds=300)
        told = merchant.refunded(paid())
        sandbox.post("/clock", offset=290)
        assert merchant.query_refund(told["out_refund_no"]).json()["status"] == "PROCESSING"
        sandbox.post("/clock", offset=301)
        assert merchant.query_refund(told["out_refund_no"]).json()["status"] == status

    def test_at_once_still_means_after_the_answer(self, sandbox, merchant, paid):
        sandbox.post("/switch", refund_mode="automatic", refund_seconds=0)
        told = merchant.refunded(paid())
        assert told["status"] == "PROCESSING"
        assert merchant.query_refund(told["out_refund_no"]).json()["status"] == "SUCCESS"


class TestPuttingAnAbnormalOneRight:
    @pytest.fixture
    def abnormal(self, sandbox, merchant, paid):
        told = merchant.refunded(paid())
        sandbox.post(f"/refunds/{told['out_refund_no']}/settle", outcome="ABNORMAL")
        return told

    @pytest.fixture
    def apply(self, merchant, abnormal):
        def post(headers=None, **changes):
            fields = {"out_refund_no": abnormal["out_refund_no"], "type": "MERCHANT_BANK_CARD"} | changes
            target = f"{REFUNDS}/{abnormal['refund_id']}/apply-abnormal-refund"
            return merchant.call("POST", target, fields, headers=headers)

        return post

    def test_to_the_merchants_card(self, sandbox, apply, abnormal):
        assert apply().json()["status"] == "PROCESSING"
        sandbox.post(f"/refunds/{abnormal['out_refund_no']}/settle", outcome="SUCCESS")
        assert refusal(apply()) == (400, "INVALID_REQUEST")

    def test_to_the_payers_card_with_number_and_name_encrypted(self, merchant, apply):
        secret = {
            "bank_account": merchant.encrypt("6222020200001234"),
            "real_name": merchant.encrypt("张三"),
        }
        assert refusal(apply(type="USER_BANK_CARD", bank_type="CMB_DEBIT")) == (400, "PARAM_ERROR")
        plain = {"bank_account": "6222020200001234", "real_name": "张三"}
        assert refusal(apply(type="USER_BANK_CARD", bank_type="CMB_DEBIT", **plain)) == (400, "PARAM_ERROR")
        told = apply(type="USER_BANK_CARD", bank_type="CMB_DEBIT", **secret).json()
        assert told["user_received_account"] == "CMB_DEBIT1234"

    def test_the_key_must_be_named_and_ours(self, merchant, apply):
        secret = merchant.encrypt("6222")
        fields = {"bank_account": secret, "real_name": secret, "bank_type": "CMB_DEBIT"}
        answer = apply(headers={"Wechatpay-Serial": None}, type="USER_BANK_CARD", **fields)
        assert "缺少微信支付平台证书序列号" in answer.json()["message"]
        answer = apply(headers={"Wechatpay-Serial": "F" * 40}, type="USER_BANK_CARD", **fields)
        assert answer.json()["message"] == "平台证书序列号Wechatpay-Serial错误"

    def test_only_for_the_refund_it_names(self, apply, merchant, abnormal):
        assert refusal(apply(out_refund_no="R2")) == (400, "INVALID_REQUEST")
        assert refusal(apply(bank_type="MY_BANK")) == (400, "PARAM_ERROR")
        target = f"{REFUNDS}/50{secrets.randbelow(10)}/apply-abnormal-refund"
        fields = {"out_refund_no": abnormal["out_refund_no"], "type": "MERCHANT_BANK_CARD"}
        assert refusal(merchant.call("POST", target, fields)) == (404, "RESOURCE_NOT_EXISTS")


class TestByHand:
    def test_a_console_refund_is_found_by_query(self, sandbox, merchant, paid):
        number = paid()
        made = sandbox.post("/refunds/console", out_trade_no=number, amount=100, out_refund_no="HAND1")
        assert made["origin"] == "console"
        assert merchant.query_refund("HAND1").json()["amount"]["refund"] == 100
        assert merchant.query(number).json()["trade_state"] == "REFUND"
        assert [r["out_refund_no"] for r in sandbox.get("/refunds")["refunds"]] == ["HAND1"]

    def test_it_takes_from_the_same_sum(self, sandbox, merchant, paid):
        number = paid()
        sandbox.post("/refunds/console", out_trade_no=number, amount=9000)
        assert refusal(merchant.refund(merchant.refund_fields(number, 901))) == (400, "INVALID_REQUEST")
        assert sandbox.try_post("/refunds/console", out_trade_no=number, amount=901).status_code == 409
        merchant.refunded(number, 900)

    def test_only_of_what_was_paid(self, sandbox, merchant):
        number, _ = merchant.placed()
        assert sandbox.try_post("/refunds/console", out_trade_no=number).status_code == 409


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/refunds/NOSUCH/settle", {}, 404),
        ("/refunds/NOSUCH/settle", {"outcome": "LOST"}, 400),
        ("/refunds/console", {}, 400),
        ("/switch", {"refund_mode": "sometimes"}, 400),
        ("/switch", {"refund_seconds": -1}, 400),
    ],
)
def test_nonsense_is_refused(sandbox, path, fields, status):
    assert sandbox.try_post(path, **fields).status_code == status
