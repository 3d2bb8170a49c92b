"""The staff's desk in a browser: every screen readable by everybody, and the second factor set up by hand."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import expect

from portal.learners.models import Locale, Role
from tests.browser.conftest import Visitor
from tests.browser.test_accessibility import both_languages, problems_of
from tests.factories.learners import make_learner
from tests.factories.staff import code_of, set_up_phone, shown_seed

pytestmark = pytest.mark.browser


def screens_of(app: Flask) -> list[str]:
    """Return the pages of the admin that have one address each."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
    return sorted(
        rule.rule
        for rule in rules
        if "GET" in (rule.methods or ()) and "<" not in rule.rule and "." not in rule.rule
    )


@both_languages
def test_every_screen_is_accessible(
    visit: Callable[..., Visitor], session_app: Flask, locale: Locale
) -> None:
    visitor = visit(locale=locale, role=Role.ADMIN)
    with session_app.app_context():
        teacher = make_learner(role=Role.INSTRUCTOR)
    set_up_phone(session_app, teacher)
    paths = [*screens_of(session_app), f"/admin/users/{teacher.public_id}", "/admin/users?q=nobody"]
    assert [text for path in paths for text in problems_of(visitor.open(path))] == []


@both_languages
def test_a_phone_is_set_up_and_a_mistake_said(
    visit: Callable[..., Visitor], session_app: Flask, locale: Locale
) -> None:
    visitor = visit(locale=locale, role=Role.ADMIN)
    assert visitor.buyer is not None
    page = visitor.open("/admin/second-factor/set-up")
    page.locator("#second_factor_code").fill("1")
    page.click("main button.primary")
    assert page.evaluate("document.activeElement.className") == "error-summary"
    assert problems_of(page) == []
    page.locator("#second_factor_code").fill(code_of(shown_seed(session_app, visitor.buyer.learner)))
    page.click("main button.primary")
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    assert problems_of(page) == []
    with page.expect_download() as download:
        page.locator("a[download]").click()
    kept = download.value.path().read_text()
    assert len(re.findall(r"^[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}$", kept, re.MULTILINE)) == 10
    # The browser itself reports the 422.
    visitor.complaints.clear()
