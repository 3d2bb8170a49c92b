"""Choices of the reader that pages keep, and paper."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from portal.learners.models import Locale
from tests.browser.conftest import Visitor
from tests.support.shop import COURSE

pytestmark = pytest.mark.browser

GROUND = "getComputedStyle(document.body).backgroundColor"


class TestTheme:
    def test_the_device_decides_until_the_reader_does(self, visit: Callable[..., Visitor]) -> None:
        visitor = visit(signed_in=False, color_scheme="dark")
        page = visitor.open("/courses")
        dark = page.evaluate(GROUND)
        button = page.get_by_role("button", name="Dark theme")
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        light = page.evaluate(GROUND)
        assert light != dark
        page = visitor.open(f"/courses/{COURSE}")
        assert page.evaluate(GROUND) == light
        assert page.locator("html").get_attribute("data-theme") == "light"

    def test_a_choice_is_there_from_the_first_byte(self, visit: Callable[..., Visitor]) -> None:
        visitor = visit(signed_in=False, java_script_enabled=False)
        visitor.context.add_cookies([{"name": "theme", "value": "dark", "url": visitor.origin}])
        page = visitor.open("/courses")
        assert page.locator("html").get_attribute("data-theme") == "dark"

    def test_a_cookie_of_nonsense_is_ignored(self, visit: Callable[..., Visitor]) -> None:
        visitor = visit(signed_in=False)
        visitor.context.add_cookies([{"name": "theme", "value": "neon", "url": visitor.origin}])
        assert visitor.open("/courses").locator("html").get_attribute("data-theme") is None


class TestLanguage:
    @pytest.mark.parametrize("has_script", [True, False])
    def test_the_switch_stays_on_the_page(self, visit: Callable[..., Visitor], has_script: bool) -> None:
        visitor = visit(signed_in=False, locale=Locale.ZH, java_script_enabled=has_script)
        page = visitor.open(f"/courses/{COURSE}")
        expect(page.locator("h1")).to_have_text("C++ Primer 第五版")
        page.get_by_role("button", name="English").click()
        page.wait_for_url(f"**/courses/{COURSE}")
        expect(page.locator("h1")).to_contain_text("Edition")
        assert page.locator("html").get_attribute("lang") == "en"


class TestKeyboard:
    def test_the_first_key_leads_to_the_content(self, visit: Callable[..., Visitor]) -> None:
        page = visit(signed_in=False).open("/courses")
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"


class TestPaper:
    def test_license_and_receipt_print_without_navigation(self, visit: Callable[..., Visitor], shop) -> None:
        visitor = visit()
        order_id = visitor.buyer.buy()
        shop.notify(order_id)
        for path in (f"/checkout/{order_id}", f"/account/orders/{order_id}/receipt"):
            page = visitor.open(path)
            page.emulate_media(media="print")
            for part in (".site-header", ".site-footer", ".account-nav", ".actions"):
                for found in page.locator(part).all():
                    expect(found).to_be_hidden()
            expect(page.locator("h1")).to_be_visible()
