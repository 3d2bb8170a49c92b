"""Connecting an editor, at a browser: every page in both languages, themes and widths; and the way through."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import expect

from portal.devices import grants
from portal.devices.grants import Started
from portal.learners.models import Locale
from tests.browser.accessibility import problems_of
from tests.browser.conftest import Visitor, both_languages
from tests.factories.learners import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def start(app: Flask) -> Callable[[], Started]:
    """Begin as an editor does."""

    def begin() -> Started:
        with app.app_context():
            return grants.start_grant(grants.CLIENT_ID, "", "VS Code 1.106 on study-laptop", "203.0.113.9")

    return begin


@both_languages
def test_every_page_on_the_way(
    visit: Callable[..., Visitor], start: Callable[[], Started], locale: Locale
) -> None:
    visitor = visit(locale=locale)
    page = visitor.open(f"/device?user_code={start().user_code}")
    found = problems_of(page)
    page.click("main button.primary")
    page.wait_for_selector("main .facts")
    found += problems_of(page)
    page.click("main form[action$=allow] button")
    page.wait_for_selector("main [role=status]")
    found += problems_of(page)
    found += problems_of(visitor.open("/account/devices"))
    visitor.open(f"/device?user_code={start().user_code}").click("main button.primary")
    page.click("main form[action$=deny] button")
    page.wait_for_selector("main [role=status]")
    assert found + problems_of(page) == []


@both_languages
def test_a_wrong_code_and_an_old_one(
    visit: Callable[..., Visitor], start: Callable[[], Started], locale: Locale, clock
) -> None:
    visitor = visit(locale=locale)
    page = visitor.open("/device?user_code=WDJB-MTHX")
    page.click("main button.primary")
    page.wait_for_selector(".error-summary")
    assert problems_of(page) == []
    visitor.complaints.clear()  # the browser itself reports the 422
    page.fill("#user_code", start().user_code)
    clock.travel(minutes=11)
    page.click("main button.primary")
    page.wait_for_url("**/device/*")
    assert problems_of(page) == []


def test_a_newcomer_registers_on_the_way(visit: Callable[..., Visitor], start: Callable[[], Started]) -> None:
    started = start()
    page = visit(signed_in=False, java_script_enabled=False).open(f"/device?user_code={started.user_code}")
    page.get_by_role("link", name="Create an account").click()
    page.fill("#email", "newcomer@example.com")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Create an account").click()
    expect(page.locator("#user_code")).to_have_value(started.user_code)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("p.device-code")).to_have_text(started.user_code)
    page.get_by_role("button", name="Allow").click()
    expect(page.locator("h1")).to_have_text("Your editor is connected")
