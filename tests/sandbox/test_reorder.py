"""The same number again: idempotent when identical, refused when anything differs, burnt when closed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox.merchant import NATIVE


def code_and_status(answer):
    return answer.status_code, answer.json()["code"]


def test_the_identical_request_gives_a_fresh_code_and_kills_the_old_one(sandbox, merchant):
    fields = merchant.order()
    old, new = merchant.create(fields).json()["code_url"], merchant.create(fields).json()["code_url"]
    assert old != new
    refused = sandbox.try_post("/pay", code_url=old)
    assert (refused.status_code, refused.json()["error"]) == (409, "code_dead")
    assert sandbox.post("/pay", code_url=new)["trade_state"] == "SUCCESS"


def test_identical_means_equal_values_not_equal_bytes(merchant):
    fields = merchant.order(attach="课程")
    merchant.create(fields)
    reordered = dict(reversed(fields.items()))
    answer = merchant.call("POST", NATIVE, body=json.dumps(reordered, indent=3).encode())
    assert answer.status_code == 200


CHANGES: list[dict[str, Any]] = [
    {"amount": {"total": 9901, "currency": "CNY"}},
    {"amount": {"total": 9900}},
    {"description": "另一门课程"},
    {"time_expire": "2099-01-01T12:00:00+08:00"},
    {"notify_url": "https://shop.example.com/other"},
    {"attach": "new"},
]


@pytest.mark.parametrize("change", CHANGES, ids=[next(iter(c)) + str(i) for i, c in enumerate(CHANGES)])
def test_any_difference_is_refused(merchant, change):
    fields = merchant.order()
    merchant.create(fields)
    assert code_and_status(merchant.create(fields | change)) == (403, "OUT_TRADE_NO_USED")


def test_the_other_form_of_that_refusal_can_be_chosen(sandbox, merchant):
    sandbox.post("/switch", reorder_error="400")
    fields = merchant.order()
    merchant.create(fields)
    answer = merchant.create(fields | {"attach": "new"})
    assert code_and_status(answer) == (400, "INVALID_REQUEST")
    assert answer.json()["message"] == "请求重入时，参数与首次请求时不一致"


def test_a_closed_number_stays_closed(merchant):
    fields = merchant.order()
    merchant.create(fields)
    merchant.close(fields["out_trade_no"])
    assert code_and_status(merchant.create(fields)) == (400, "ORDER_CLOSED")


def test_an_expired_number_counts_as_closed_for_ordering(sandbox, merchant):
    fields = merchant.order(time_expire="2020-01-01T00:00:00+08:00")
    merchant.create(fields)
    sandbox.post("/clock", offset=61)
    assert code_and_status(merchant.create(fields)) == (400, "ORDER_CLOSED")


def test_a_paid_number_says_so(sandbox, merchant):
    fields = merchant.order()
    code_url = merchant.create(fields).json()["code_url"]
    sandbox.post("/pay", code_url=code_url)
    answer = merchant.create(fields)
    assert code_and_status(answer) == (400, "ORDERPAID")
    assert answer.json()["message"] == "该订单已支付"
    sandbox.post("/switch", order_paid_code="ORDER_PAID")
    assert code_and_status(merchant.create(fields)) == (400, "ORDER_PAID")


def test_two_merchants_may_use_the_same_number(merchant, other_merchant):
    number, _ = merchant.placed()
    assert other_merchant.create(other_merchant.order(number)).status_code == 200


def test_a_number_closed_before_it_was_ordered_is_burnt(sandbox, merchant):
    fields = merchant.order()
    number = fields["out_trade_no"]
    assert merchant.close(number).status_code == 204
    assert merchant.query(number).json()["code"] == "ORDER_NOT_EXIST"
    assert code_and_status(merchant.create(fields)) == (400, "ORDER_CLOSED")
    assert sandbox.get(f"/orders/{number}")["state"] == "BURNT"
