"""Every state of the checkout: what it says in both languages, and what one can do."""

import gzip
import re

import pytest

from portal.config import ROOT
from portal.payments.checkout_state import FINAL, CheckoutState
from tests.support.checkouts import checkout_in, drawn

SAYS = {
    CheckoutState.PREPARING: ("正在创建支付", "Creating the payment"),
    CheckoutState.GATEWAY_DOWN: ("微信支付暂时连不上", "WeChat Pay cannot be reached"),
    CheckoutState.AWAITING_PAYMENT: ("请用微信扫码支付 ¥99.00", "Scan with WeChat to pay ¥99.00"),
    CheckoutState.CONFIRMING: ("请不要重复支付", "Please do not pay again"),
    CheckoutState.DELIVERING: ("已收到付款，正在生成许可证", "Paid; your license is being made"),
    CheckoutState.DELIVERY_DELAYED: ("付款已到账，许可证稍后送达", "there is nothing more to pay"),
    CheckoutState.DELIVERED: ("许可证已就绪", "Your license is ready"),
    CheckoutState.EXPIRED: ("订单已过期，未扣款", "Order expired; you have not been charged"),
    CheckoutState.CANCELLED: ("订单已取消，未扣款", "Order cancelled; you have not been charged"),
    CheckoutState.FAILED: ("支付未完成，未扣款", "Payment not completed; you have not been charged"),
    CheckoutState.REFUND_DUE: ("将原路退回", "did not owe and return it"),
    CheckoutState.REFUNDING: ("退款正在处理中", "Your refund is on its way"),
    CheckoutState.PARTIALLY_REFUNDED: ("部分款项已退回", "A part of your payment went back to you"),
    CheckoutState.REFUNDED: ("款项已退回", "Your money went back to you"),
    CheckoutState.REFUND_ABNORMAL: ("退款比平时慢", "Your refund takes longer than usual"),
    CheckoutState.TRANSFER_WAITING: ("请转账 ¥99.00", "Send ¥99.00 by transfer"),
    CheckoutState.TRANSFER_TOLD: ("请不要再次付款", "Please do not pay again"),
    CheckoutState.TRANSFER_MISMATCH: ("到账金额不符", "¥98.00 came, and the price is ¥99.00"),
    CheckoutState.TRANSFER_REFUSED: ("未找到您的转账", "Please do not send it twice"),
    CheckoutState.TRANSFER_ENDED: ("订单已关闭", "Did you send the money all the same?"),
}
CAN = {
    CheckoutState.PREPARING: {"/cancel"},
    CheckoutState.GATEWAY_DOWN: {"/check", "/cancel", "/account/orders"},
    CheckoutState.AWAITING_PAYMENT: {"/check", "/cancel"},
    CheckoutState.CONFIRMING: {"/check"},
    CheckoutState.DELIVERING: set(),
    CheckoutState.DELIVERY_DELAYED: {"mailto:"},
    CheckoutState.DELIVERED: {"/download", "/account/orders/"},
    CheckoutState.EXPIRED: {"/courses/cpp-primer-5th", "/check"},
    CheckoutState.CANCELLED: {"/courses/cpp-primer-5th", "/check"},
    CheckoutState.FAILED: {"/courses/cpp-primer-5th", "mailto:"},
    CheckoutState.REFUND_DUE: {"/account/licenses", "mailto:"},
    CheckoutState.REFUNDING: {"/account/orders/", "mailto:"},
    CheckoutState.PARTIALLY_REFUNDED: {"/download", "/account/orders/"},
    CheckoutState.REFUNDED: {"/account/orders/", "/courses/cpp-primer-5th"},
    CheckoutState.REFUND_ABNORMAL: {"/account/orders/", "mailto:"},
    CheckoutState.TRANSFER_WAITING: {"/transfer", "/cancel"},
    CheckoutState.TRANSFER_TOLD: {"/transfer", "mailto:"},
    CheckoutState.TRANSFER_MISMATCH: {"mailto:"},
    CheckoutState.TRANSFER_REFUSED: {"mailto:", "/courses/cpp-primer-5th"},
    CheckoutState.TRANSFER_ENDED: {"/transfer", "/courses/cpp-primer-5th"},
}
NOT_CHARGED = re.compile("扣款|not been charged|nothing has been charged")
each_state = pytest.mark.parametrize("state", CheckoutState, ids=str)
each_language = pytest.mark.parametrize(("locale", "nth"), [("zh_Hans_CN", 0), ("en", 1)], ids=["zh", "en"])


@pytest.fixture
def app(session_app):
    """Drawing needs no database, so it need not be emptied."""
    return session_app


def fragment(app, state, locale="en", **more):
    was_code_shown = more.pop("was_code_shown", True)
    return drawn(app, checkout_in(state, was_code_shown), locale, "checkout/_status.html", **more)


class TestEachState:
    @each_language
    @each_state
    def test_it_is_said(self, app, state, locale, nth):
        assert SAYS[state][nth] in fragment(app, state, locale)

    @each_state
    def test_there_is_a_way_on(self, app, state):
        targets = re.findall(r'(?:href|action)="([^"]+)"', fragment(app, state))
        for way in CAN[state]:
            assert any(way in target for target in targets), (way, targets)

    @each_state
    def test_it_has_one_heading_that_can_take_the_focus(self, app, state):
        assert fragment(app, state).count('<h1 id="result" tabindex="-1">') == 1

    @each_state
    def test_it_is_the_title_of_the_window_too(self, app, state):
        page = drawn(app, checkout_in(state), "zh_Hans_CN")
        title = re.search(r"<title>(.+?) · Learning Buddy</title>", page)[1]
        assert f'data-title="{title} · Learning Buddy"' in page
        assert f'data-announce="{title}"' in page

    @each_state
    def test_only_a_page_that_can_change_asks(self, app, state):
        page = drawn(app, checkout_in(state), "en")
        assert ("js/poll.js" in page) is (state not in FINAL)
        assert ('http-equiv="refresh"' in page) is (state not in FINAL)

    @each_state
    def test_nothing_is_inline(self, app, state):
        page = drawn(app, checkout_in(state), "en")
        assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:|data:image", page)
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert "//" not in "".join(re.findall(r'src="([^"]*)"', page))


class TestNotCharged:
    @each_state
    def test_it_is_only_said_when_wechat_said_so(self, app, state):
        is_known = state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED, CheckoutState.FAILED}
        for locale in ("en", "zh_Hans_CN"):
            assert bool(NOT_CHARGED.search(fragment(app, state, locale, was_code_shown=True))) is is_known

    @pytest.mark.parametrize("state", [CheckoutState.PREPARING, CheckoutState.GATEWAY_DOWN], ids=str)
    def test_or_when_no_code_was_ever_shown(self, app, state):
        for locale in ("en", "zh_Hans_CN"):
            assert NOT_CHARGED.search(fragment(app, state, locale, was_code_shown=False))


class TestTheCode:
    def test_amount_order_and_buyer_stand_beside_it(self, app):
        page = drawn(app, checkout_in(CheckoutState.AWAITING_PAYMENT), "en")
        for fact in ("¥99.00", "C++ Primer, 5th Edition", "8k3hq2v9x0m4t7w1c5zr", "7Q4K"):
            assert fact in page
        assert 'width="264" height="264" alt="WeChat Pay code for ¥99.00"' in page

    @pytest.mark.parametrize("device", ["phone", "wechat"])
    def test_on_a_phone_it_is_folded_and_the_way_to_pay_is_told(self, app, device):
        page = fragment(app, CheckoutState.AWAITING_PAYMENT, device=device)
        assert "This code must be scanned by another device." in page
        assert 'value="https://learn.example.com/checkout/8k3hq2v9x0m4t7w1c5zr"' in page
        assert page.index("<details") < page.index("<img")
        assert page.count("<img") == 1

    def test_the_test_phone_is_offered_only_when_there_is_one(self, app):
        assert "test phone" not in fragment(app, CheckoutState.AWAITING_PAYMENT)
        offered = fragment(app, CheckoutState.AWAITING_PAYMENT, phone_url="http://127.0.0.1:8100/phone")
        assert 'href="http://127.0.0.1:8100/phone"' in offered

    def test_it_is_gone_in_every_other_state(self, app):
        # A transfer has a code too, which is the receiver's own.
        for state in set(CheckoutState) - {CheckoutState.AWAITING_PAYMENT, CheckoutState.TRANSFER_WAITING}:
            assert "<img" not in drawn(app, checkout_in(state), "en")


class TestWithoutScript:
    def test_the_page_reloads_twelve_times_and_then_offers_a_link(self, app):
        waiting = checkout_in(CheckoutState.AWAITING_PAYMENT)
        for count in (0, 11):
            page = drawn(app, waiting, "en", refresh_count=count)
            assert f'content="10; url=/checkout/8k3hq2v9x0m4t7w1c5zr?r={count + 1}"' in page
        last = drawn(app, waiting, "en", refresh_count=12)
        assert "http-equiv" not in last
        assert "Reload now" in last


class TestWeight:
    def test_the_page_to_pay_on_is_light(self, app):
        page = drawn(app, checkout_in(CheckoutState.AWAITING_PAYMENT), "zh_Hans_CN")
        files = re.findall(r'(?:src|href)="/(static/[^"?]+)', page)
        assert len(files) >= 5
        parts = [page.encode(), *((ROOT / file).read_bytes() for file in files)]
        assert sum(len(gzip.compress(part)) for part in parts) < 20_000
