"""The page to pay on, in a real browser: it follows the order, survives what networks do, and tells the truth."""

import io
from collections.abc import Callable
from itertools import product

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from portal.learners.models import Locale
from tests.browser.conftest import Visitor
from tests.support.shop import COURSE

pytestmark = pytest.mark.browser

WAITING = "[data-state=awaiting_payment]"
DELIVERED = "[data-state=delivered]"
HIDE = """
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.isAway === true });
"""
# The next answer's body never comes to its end, until it is given up.
STALL = """
  const fetched = window.fetch;
  window.fetch = async (address, options) => {
    window.fetch = fetched;
    const body = new ReadableStream({
      start: control => options.signal.addEventListener('abort', () => control.error(new Error('given up'))),
    });
    return new Response(body, { headers: { 'Content-Type': 'application/json' } });
  };
"""


@pytest.fixture
def at_checkout(visit: Callable[..., Visitor]) -> Callable[..., tuple[Visitor, str]]:
    """Press *buy* and arrive; return the visitor and the order's id."""

    def begin(**options) -> tuple[Visitor, str]:
        prepare = options.pop("prepare", lambda visitor: None)
        visitor = visit(**options)
        if options.get("java_script_enabled", True):
            visitor.page.clock.install()
        prepare(visitor)
        page = visitor.open(f"/courses/{COURSE}")
        page.click(".button.pay")
        page.wait_for_selector(WAITING)
        page.wait_for_load_state()
        return visitor, page.url.rsplit("/", 1)[1]

    return begin


def let_pass(page: Page, seconds: int) -> None:
    """Let the page's time go on, with a moment after each half second for what it asks to be answered."""
    for _ in range(2 * seconds):
        page.clock.run_for(500)
        page.wait_for_timeout(20)


def see(page: Page, selector: str) -> None:
    """Wait until the page has asked and shows what it was told."""
    page.clock.run_for(2_500)
    page.wait_for_selector(selector)


def go_away(page: Page, is_away: bool) -> None:
    page.evaluate(
        "isAway => { window.isAway = isAway; document.dispatchEvent(new Event('visibilitychange')); }",
        is_away,
    )


class TestTheCode:
    def test_a_scanner_reads_it(self, at_checkout, shop):
        visitor, order_id = at_checkout()
        for theme, width in product(("light", "dark"), (360, 1280)):
            visitor.page.emulate_media(color_scheme=theme)
            visitor.page.set_viewport_size({"width": width, "height": 900})
            expect(visitor.page.locator(".qr img")).to_be_visible()
            assert visitor.page.locator(".qr img").bounding_box()["width"] >= 240
            picture = Image.open(io.BytesIO(visitor.page.locator(".qr").screenshot()))
            codes = zxingcpp.read_barcodes(picture)
            assert [code.text for code in codes] == [shop.payment(order_id).code_url], (theme, width)

    def test_two_tabs_show_the_same_one(self, at_checkout, shop):
        visitor, order_id = at_checkout()
        other = visitor.context.new_page()
        other.goto(visitor.page.url)
        codes = [
            zxingcpp.read_barcodes(Image.open(io.BytesIO(page.locator(".qr").screenshot())))[0].text
            for page in (visitor.page, other)
        ]
        assert codes[0] == codes[1] == shop.payment(order_id).code_url

    def test_it_disappears_when_the_time_is_over(self, at_checkout, clock):
        visitor, _ = at_checkout()
        page = visitor.page
        expect(page.locator("[data-digits]")).to_contain_text("59:")
        page.clock.fast_forward("55:00")
        expect(page.locator("[data-spoken]")).to_have_text("5 minutes left to pay.")
        page.clock.fast_forward("04:00")
        expect(page.locator("[data-spoken]")).to_have_text("1 minute left to pay.")
        clock.travel(seconds=3601)
        page.clock.fast_forward("01:05")
        page.wait_for_selector("[data-state=confirming]")
        expect(page.locator(".qr")).to_have_count(0)
        expect(page.locator("main")).to_contain_text("Please do not pay again.")


class TestFollowing:
    def test_payment_turns_the_page_into_the_license(self, at_checkout, shop):
        visitor, order_id = at_checkout()
        page = visitor.page
        assert page.locator("[data-announcer]").inner_text() == ""
        shop.notify(order_id)
        see(page, DELIVERED)
        assert page.evaluate("document.activeElement.id") == "result"
        expect(page.locator("[data-announcer]")).to_have_text("Your license is ready")
        assert page.title() == "Your license is ready · Learning Buddy"
        assert page.locator(".license-text").input_value().count("|") == 1
        asked = visitor.polls()
        let_pass(page, 5)
        assert visitor.polls() == asked

    def test_the_first_answers_change_nothing_that_one_sees(self, at_checkout):
        visitor, _ = at_checkout()
        page = visitor.page
        page.click("#cancel")
        page.evaluate("document.querySelector('[data-state]').dataset.mark = 'the same'")
        let_pass(page, 6)
        assert visitor.polls() >= 2
        assert page.locator("[data-state]").get_attribute("data-mark") == "the same"
        assert page.locator("details").get_attribute("open") is not None

    def test_nothing_is_asked_while_nobody_looks_and_at_once_on_return(self, at_checkout, shop):
        visitor, order_id = at_checkout(prepare=lambda visitor: visitor.page.add_init_script(HIDE))
        page = visitor.page
        go_away(page, True)
        let_pass(page, 1)
        asked = visitor.polls()
        shop.notify(order_id)
        let_pass(page, 5)
        assert visitor.polls() == asked
        go_away(page, False)
        page.wait_for_selector(DELIVERED, timeout=1_500)

    def test_i_have_paid_finds_the_money_that_nobody_told_of(self, at_checkout, shop):
        visitor, order_id = at_checkout()
        shop.pay(order_id)
        visitor.page.click("#check")
        visitor.page.wait_for_selector(DELIVERED)

    def test_cancelling_asks_first(self, at_checkout):
        visitor, _ = at_checkout()
        page = visitor.page
        expect(page.get_by_role("button", name="Yes, cancel it")).to_be_hidden()
        page.click("#cancel")
        page.get_by_role("button", name="Yes, cancel it").click()
        page.wait_for_selector("[data-state=cancelled]")
        expect(page.locator("h1")).to_have_text("Order cancelled; you have not been charged")


class TestWhenThingsBreak:
    def test_offline_is_said_and_the_page_goes_on_by_itself(self, at_checkout, shop):
        visitor, order_id = at_checkout()
        page = visitor.page
        visitor.context.set_offline(True)
        expect(page.locator("[data-connection]")).to_contain_text("You are offline.")
        shop.notify(order_id)
        let_pass(page, 3)
        expect(page.locator(WAITING)).to_be_visible()
        visitor.context.set_offline(False)
        page.wait_for_selector(DELIVERED)
        expect(page.locator("[data-connection]")).to_be_empty()
        visitor.complaints.clear()  # the browser reports each failed request

    def test_a_server_in_trouble_is_asked_on(self, at_checkout, shop):
        visitor, order_id = at_checkout()
        page = visitor.page
        page.route("**/status", lambda route: route.fulfill(status=503, body="{}"))
        page.clock.run_for(2_500)
        expect(page.locator("[data-connection]")).to_contain_text("you need not pay again")
        asked = visitor.polls()
        let_pass(page, 6)
        assert 1 <= visitor.polls() - asked <= 3
        page.unroute("**/status")
        shop.notify(order_id)
        see(page, DELIVERED)
        visitor.complaints.clear()

    def test_an_answer_that_stops_in_its_middle_is_given_up(self, at_checkout, shop):
        visitor, order_id = at_checkout()
        page = visitor.page
        page.evaluate(f"() => {{ {STALL} }}")
        page.clock.run_for(2_500)
        shop.notify(order_id)
        page.clock.run_for(14_000)
        expect(page.locator(WAITING)).to_be_visible()
        page.clock.run_for(2_000)
        expect(page.locator("[data-connection]")).to_contain_text("you need not pay again")
        see(page, DELIVERED)

    def test_signed_in_as_somebody_else_meanwhile_the_page_says_so(self, at_checkout):
        visitor, _ = at_checkout()
        page = visitor.page
        page.route("**/status", lambda route: route.fulfill(status=404, body="{}"))
        with page.expect_navigation():
            page.clock.run_for(2_500)
        visitor.complaints.clear()

    def test_nonsense_for_an_answer_is_trouble_too(self, at_checkout, shop):
        visitor, order_id = at_checkout()
        page = visitor.page
        page.route(
            "**/status", lambda route: route.fulfill(status=200, body="<html>a proxy says hello</html>")
        )
        page.clock.run_for(2_500)
        expect(page.locator("[data-connection]")).to_contain_text("you need not pay again")
        page.unroute("**/status")
        shop.notify(order_id)
        see(page, DELIVERED)

    def test_one_who_is_signed_out_meanwhile_meets_the_sign_in(self, at_checkout):
        visitor, _ = at_checkout()
        visitor.context.clear_cookies()
        visitor.page.clock.run_for(2_500)
        visitor.page.wait_for_url("**/login?next=/checkout/*")
        visitor.complaints.clear()

    def test_a_gateway_that_is_down_is_said_and_nobody_was_charged(self, visit, shop):
        shop.sandbox.control("POST", "/control/faults", {"route": "*", "kind": "5xx"})
        visitor = visit()
        page = visitor.open(f"/courses/{COURSE}")
        page.click(".button.pay")
        page.wait_for_selector("[data-state=gateway_down]")
        expect(page.locator("h1")).to_contain_text("you have not been charged")
        shop.sandbox.control("DELETE", "/control/faults")


class TestWithoutScript:
    def test_one_buys_waits_and_gets_the_license(self, at_checkout, shop):
        visitor, order_id = at_checkout(java_script_enabled=False, locale=Locale.ZH)
        page = visitor.page
        expect(page.locator(".qr img")).to_be_visible()
        expect(page.locator("main noscript p")).to_be_visible()
        shop.notify(order_id)
        seconds, url = page.locator("meta[http-equiv=refresh]").get_attribute("content").split("; url=")
        assert (seconds, url) == ("10", f"/checkout/{order_id}?r=1")
        visitor.open(url)
        page.wait_for_selector(DELIVERED)
        assert page.locator(".license-text").input_value().count("|") == 1
        expect(page.get_by_role("button", name="复制许可证")).to_be_hidden()
        with page.expect_download() as download:
            page.click("a[download]")
        assert download.value.suggested_filename.endswith(".lic.txt")


class TestCopying:
    def test_the_license_is_in_the_clipboard(self, at_checkout, shop):
        visitor, order_id = at_checkout(permissions=["clipboard-read", "clipboard-write"])
        shop.notify(order_id)
        page = visitor.page
        see(page, DELIVERED)
        page.get_by_role("button", name="Copy the license").click()
        expect(page.locator("[data-done][role=status]")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == page.locator(".license-text").input_value()

    def test_a_browser_that_refuses_has_it_selected_and_says_so(self, at_checkout, shop):
        refuse = "Object.defineProperty(navigator, 'clipboard', { value: undefined }); document.execCommand = () => false;"
        visitor, order_id = at_checkout(prepare=lambda visitor: visitor.page.add_init_script(refuse))
        shop.notify(order_id)
        page = visitor.page
        see(page, DELIVERED)
        page.get_by_role("button", name="Copy the license").click()
        expect(page.locator("[data-done][role=status]")).to_contain_text("The text is selected")
        text = page.locator(".license-text")
        selected = text.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
        assert selected == text.input_value()
