"""WCAG 2.2 A and AA by axe, on every page, in both languages, themes and widths; and nothing to scroll sideways."""

from collections.abc import Callable
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route

from portal.learners.models import Locale, Role
from portal.payments.checkout_state import CheckoutState
from portal.reports.recount import bring_up_to_date
from tests.browser.conftest import Visitor
from tests.support.checkouts import checkout_in, drawn
from tests.support.shop import COURSE

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PUBLIC = ["/courses", "/courses?q=zzz", f"/courses/{COURSE}", "/login", "/register", "/forgot"]
ACCOUNT = ["", "/orders", "/licenses", "/devices", "/settings"]
both_languages = pytest.mark.parametrize("locale", list(Locale), ids=["zh", "en"])


def problems_of(page: Page) -> list[str]:
    found = []
    for theme, width in product(("light", "dark"), (360, 1280)):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        answer = Axe().run(page, options={"runOnly": RULES}).response
        found += [
            f"{page.url} {theme} {width}: {problem['id']} {[node['html'][:120] for node in problem['nodes']]}"
            for problem in answer["violations"]
        ]
    page.set_viewport_size({"width": 320, "height": 700})
    width = page.evaluate("document.documentElement.scrollWidth")
    return found if width <= 320 else [*found, f"{page.url} is {width} wide at 320"]


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
        assert page.evaluate("document.activeElement.className") == "error-summary"
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

    def test_of_the_desks_orders_and_reports(
        self, visit: Callable[..., Visitor], locale: Locale, shop, app
    ) -> None:
        waiting, order_id = shop.buyer().buy(), shop.buyer().buy()
        shop.pay(order_id)
        shop.notify(order_id)
        visitor = visit(locale=locale, role=Role.ADMIN)
        paths = [
            "",
            "/orders",
            "/orders?status=failed",
            f"/orders/{order_id}",
            f"/orders/{waiting}",
            "/reports",
        ]
        with app.app_context():
            bring_up_to_date()
        assert [text for path in paths for text in problems_of(visitor.open(f"/admin{path}"))] == []

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
