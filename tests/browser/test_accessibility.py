"""Every page of shop, account and checkout is for everybody, in both languages."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from portal.learners.models import Locale
from portal.payments.checkout_state import CheckoutState
from tests.browser.accessibility import problems_of
from tests.browser.conftest import Visitor, both_languages
from tests.support.checkouts import checkout_in, drawn
from tests.support.shop import COURSE

pytestmark = pytest.mark.browser

PUBLIC = ["/courses", "/courses?q=zzz", f"/courses/{COURSE}", "/login", "/register", "/forgot"]
ACCOUNT = ["", "/orders", "/licenses", "/devices", "/settings"]


@both_languages
class TestEveryPage:
    def test_of_the_shop(self, visit: Callable[..., Visitor], locale: Locale) -> None:
        visitor = visit(signed_in=False, locale=locale)
        assert [text for path in PUBLIC for text in problems_of(visitor.open(path))] == []

    def test_of_a_mistake(self, visit: Callable[..., Visitor], locale: Locale) -> None:
        visitor = visit(signed_in=False, locale=locale)
        page = visitor.open("/login")
        page.click("main button.primary")
        page.wait_for_selector(".error-summary")
        expect(page.locator(".error-summary")).to_be_focused()
        assert problems_of(page) == []
        assert problems_of(visitor.open("/nowhere")) == []
        # The browser itself reports the 422 and the 404.
        visitor.complaints.clear()

    def test_of_the_account(self, visit: Callable[..., Visitor], locale: Locale, shop) -> None:
        visitor = visit(locale=locale)
        assert [text for path in ACCOUNT for text in problems_of(visitor.open(f"/account{path}"))] == []
        order_id = visitor.buyer.buy()
        shop.notify(order_id)
        paths = [*ACCOUNT, f"/orders/{order_id}", f"/orders/{order_id}/receipt"]
        assert [text for path in paths for text in problems_of(visitor.open(f"/account{path}"))] == []
        page = visitor.open("/account/licenses")
        page.click("main h2 a")
        assert problems_of(page) == []

    def test_of_the_checkout(self, visit: Callable[..., Visitor], locale: Locale, session_app) -> None:
        visitor = visit(signed_in=False, locale=locale)
        pages = [(state, "desktop") for state in CheckoutState] + [(CheckoutState.AWAITING_PAYMENT, "phone")]
        found = []
        for state, device in pages:
            found += problems_of(serve_state(visitor, session_app, state, locale, device))
        assert found == []


def serve_state(visitor: Visitor, app, state: CheckoutState, locale: Locale, device: str) -> Page:
    """Open a page of the portal that shows a checkout in `state`, with a code that is only a picture."""
    html = drawn(app, checkout_in(state), locale.value, device=device)

    def answer(route: Route) -> None:
        if "/static/" in route.request.url:
            route.continue_()
        elif "qr.svg" in route.request.url:
            route.fulfill(content_type="image/svg+xml", body='<svg xmlns="http://www.w3.org/2000/svg"/>')
        else:
            route.fulfill(content_type="text/html", body=html)

    visitor.page.unroute_all()
    visitor.page.route("**/*", answer)
    return visitor.open("/checkout/8k3hq2v9x0m4t7w1c5zr")
