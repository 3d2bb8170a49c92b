"""The phone's pages: what a person sees and can do."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import pytest
import requests

HONG = "oSandboxHong000000000000000B"


@pytest.fixture
def phone(sandbox):
    """A browser without script: GET and POST, following redirects."""

    class Phone(requests.Session):
        def open(self, path, **options):
            return self.get(f"{sandbox.url}{path}", timeout=5, **options)

        def press(self, path, **form):
            return self.post(f"{sandbox.url}{path}", data=form, timeout=5)

        def scan(self, code_url):
            return self.open(f"/phone/scan?code_url={quote(code_url, safe='')}")

    return Phone()


def test_the_first_page_is_the_phone(phone, sandbox):
    assert phone.open("/").url == f"{sandbox.url}/phone"


def test_without_orders_it_says_so(phone):
    assert "没有待支付的订单" in phone.open("/phone").text


def test_pending_orders_lead_to_their_cashier(phone, merchant):
    number, code_url = merchant.placed(description="<b>微积分</b>")
    page = phone.open("/phone").text
    assert "&lt;b&gt;微积分&lt;/b&gt;" in page
    assert "¥99.00" in page
    assert number in page
    assert quote(code_url.split("?")[1], safe="") in page


def test_the_cashier_shows_what_is_paid_to_whom(phone, merchant):
    number, code_url = merchant.placed()
    page = phone.scan(code_url).text
    for shown in ("学习伙伴", "Python 入门课程", "¥99.00", number, "支付", "余额不足", "离开"):
        assert shown in page


def test_looking_at_the_cashier_changes_nothing(phone, merchant, sandbox):
    number, code_url = merchant.placed()
    phone.scan(code_url)
    assert sandbox.get(f"/orders/{number}")["opened_by"] is None


def test_paying_shows_the_order_and_what_the_merchant_answered(phone, merchant, shop, sandbox, until):
    shop.answers = [500]
    number, code_url = merchant.placed(notify_url=shop.url)
    page = phone.press("/phone/pay", code_url=code_url)
    assert "支付成功" in page.text
    until(lambda: sandbox.deliveries(number))
    page = phone.open(f"/phone/orders/{merchant.mchid}/{number}").text
    assert "HTTP 500" in page
    assert "未接收" in page
    assert "下次发送" in page
    assert "FAIL" in page
    assert 'http-equiv="refresh"' in page


@pytest.mark.parametrize("action", ["insufficient", "leave"])
def test_not_paying_leaves_the_order_unpaid_and_the_merchant_unaware(phone, merchant, sandbox, action):
    number, code_url = merchant.placed()
    page = phone.press(f"/phone/{action}", code_url=code_url)
    assert page.status_code == 200
    assert "商户不会收到通知" in page.text
    entry = sandbox.get(f"/orders/{number}")
    assert entry["trade_state"] == "NOTPAY"
    assert entry["opened_by"]
    assert sandbox.get("/state")["notifications"] == {}
    assert phone.press("/phone/pay", code_url=code_url).status_code == 200


def test_another_user_is_refused_in_wechats_words(phone, merchant):
    _, code_url = merchant.placed()
    phone.press("/phone/leave", code_url=code_url)
    assert "小红" in phone.press("/phone/payer", payer=HONG).text
    page = phone.scan(code_url)
    assert page.status_code == 409
    assert "商家订单信息有误" in page.text


def test_each_refusal_has_its_page(phone, merchant, sandbox):
    number, code_url = merchant.placed(time_expire="2020-01-01T00:00:00+08:00")
    assert "无法识别" in phone.scan("weixin://wxpay/bizpayurl?pr=0").text
    sandbox.post("/clock", offset=61)
    assert "订单已过期" in phone.scan(code_url).text
    sandbox.post("/clock", offset=7201)
    assert "二维码已失效" in phone.scan(code_url).text
    merchant.close(number)
    assert "订单已关闭" in phone.scan(code_url).text
    _, paid = merchant.placed()
    sandbox.post("/pay", code_url=paid)
    assert "该订单已支付" in phone.scan(paid).text
    assert phone.press("/phone/pay", code_url=paid).status_code == 409


def test_an_empty_scan_asks_for_a_code(phone):
    page = phone.open("/phone/scan")
    assert page.status_code == 400
    assert "请先粘贴" in page.text


def test_english_is_one_click_away_and_stays(phone, merchant):
    _, code_url = merchant.placed()
    page = phone.scan(code_url).text
    (address,) = re.findall(r'class="language"[^>]*href="([^"]+)"', page)
    assert "Insufficient balance" in phone.open(html.unescape(address)).text
    page = phone.open("/phone").text
    assert "Waiting to be paid" in page
    assert '<html lang="en">' in page


@pytest.mark.parametrize(
    "path",
    [
        "/phone/orders/1/2",
        "/phone/scan?code_url=%00%ff",
        "/phone?lang=xx&_scheme=y",
        "/phone/scan?code_url=x&_anchor=1",
    ],
)
def test_odd_addresses_break_nothing(phone, path):
    assert phone.open(path).status_code in (200, 404, 409)
