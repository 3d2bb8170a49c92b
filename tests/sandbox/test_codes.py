"""Codes: two hours of life, one user, one payment."""

from __future__ import annotations

import pytest

TWO_HOURS = 7200


def refusal(answer):
    return answer.status_code, answer.json()["error"]


def test_a_code_lives_two_hours_however_late_the_deadline(sandbox, merchant):
    _, code_url = merchant.placed()
    sandbox.post("/clock", offset=TWO_HOURS - 60)
    assert sandbox.post("/scan", code_url=code_url)["total"] == 9900
    sandbox.post("/clock", offset=TWO_HOURS + 1)
    assert refusal(sandbox.try_post("/pay", code_url=code_url)) == (409, "code_dead")


def test_ordering_again_brings_a_dead_code_back_to_life(sandbox, merchant):
    fields = merchant.order()
    merchant.create(fields)
    sandbox.post(f"/orders/{fields['out_trade_no']}/expire_code")
    assert refusal(sandbox.try_post("/pay", out_trade_no=fields["out_trade_no"])) == (409, "code_dead")
    fresh = merchant.create(fields).json()["code_url"]
    assert sandbox.post("/pay", code_url=fresh)["trade_state"] == "SUCCESS"


def test_the_user_who_opened_an_order_is_the_only_one_who_can_pay_it(sandbox, merchant):
    _, code_url = merchant.placed()
    sandbox.post("/scan", code_url=code_url, user="oFirst")
    answer = sandbox.try_post("/pay", code_url=code_url, user="oSecond")
    assert refusal(answer) == (409, "opened_by_another")
    assert answer.json()["message"].startswith("商家订单信息有误")
    assert sandbox.post("/pay", code_url=code_url, user="oFirst")["payer"] == {"openid": "oFirst"}


def test_an_order_is_paid_once(sandbox, merchant):
    _, code_url = merchant.placed()
    sandbox.post("/pay", code_url=code_url)
    assert refusal(sandbox.try_post("/pay", code_url=code_url)) == (409, "already_paid")


def test_the_deadline_is_to_the_second(sandbox, merchant):
    number, code_url = merchant.placed(time_expire="2020-01-01T00:00:00+08:00")
    sandbox.post("/clock", offset=55)
    sandbox.post("/scan", code_url=code_url)
    sandbox.post("/clock", offset=61)
    assert refusal(sandbox.try_post("/pay", out_trade_no=number)) == (409, "order_expired")


@pytest.mark.parametrize("code_url", ["weixin://wxpay/bizpayurl?pr=000000000", "https://example.com", ""])
def test_other_texts_are_no_codes(sandbox, code_url):
    assert refusal(sandbox.try_post("/pay", code_url=code_url)) == (409, "unknown_code")


def test_an_order_nobody_placed_cannot_be_paid(sandbox):
    assert refusal(sandbox.try_post("/pay", out_trade_no="NOBODY1")) == (409, "unknown_order")
