"""A portal that a real browser can open, and visitors who watch what the browser complains about.

The portal runs in this process, on the port that its own address names, so a test can move its clock,
break its gateway and pay its orders while a page is open.
"""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)
from werkzeug.serving import WSGIRequestHandler, make_server

from portal.learners.models import STAFF, Locale, Role
from tests.factories.learners import PASSWORD
from tests.factories.staff import code_of, set_up_phone
from tests.support.desk import Desk
from tests.support.shop import COURSE, Buyer, Shop

CHROMIUM = os.environ.get("CHROMIUM_PATH", "/usr/bin/chromium")
both_languages = pytest.mark.parametrize("locale", list(Locale), ids=["zh", "en"])
BROWSER_LANGUAGE = {Locale.ZH: "zh-CN", Locale.EN: "en-US"}


class _Silent(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium; `CHROMIUM_PATH` names another one than Debian's."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def served(session_app: Flask) -> Iterator[str]:
    origin: str = session_app.config["PORTAL_ORIGIN"]
    server = make_server(
        "127.0.0.1", urlsplit(origin).port or 80, session_app, threaded=True, request_handler=_Silent
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield origin
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def origin(served: str, app: Flask) -> str:
    """The address of the portal, which has the demo catalogue and nothing else in its database."""
    return served


@dataclass
class Visitor:
    """Somebody at a browser. `complaints` is what the browser said that it should not have to say."""

    origin: str
    context: BrowserContext
    page: Page
    buyer: Buyer | None
    complaints: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", lambda message: self.complaints.append(f"{self.page.url}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on("request", lambda request: self.requests.append(request))

    def open(self, path: str) -> Page:
        """Open a page of the portal."""
        self.page.goto(self.origin + path, wait_until="load")
        return self.page

    def sign_in_by_form(self) -> None:
        """Sign in with the password, staff with the code of a phone that was set up earlier."""
        assert self.buyer is not None
        learner = self.buyer.learner
        seed = set_up_phone(self.buyer.app, learner)[0] if learner.role in STAFF else None
        page = self.open("/login")
        page.fill("#email", learner.email)
        page.fill("#password", PASSWORD)
        page.click("main button.primary")
        if seed is not None:
            page.fill("#second_factor_code", code_of(seed, ahead=1))
            page.click("main button.primary")
        page.wait_for_url("**/account" if seed is None else "**/admin")

    def polls(self) -> int:
        """Count the questions the page asked so far."""
        return sum(request.url.endswith("/status") for request in self.requests)

    def strangers(self) -> list[str]:
        """Return the addresses of requests that left the portal."""
        return [request.url for request in self.requests if not request.url.startswith(self.origin)]


@pytest.fixture
def visit(browser: Browser, origin: str, shop: Shop) -> Iterator[Callable[..., Visitor]]:
    """Open a browser: `signed_in` or as a stranger; other options are Playwright's.

    One is signed in before the browser opens, or `by_form` as people are, staff with a code of their phone.
    `at` is another server's address, such as the sandbox's with its phone.

    At the end no visitor's browser may have complained or asked another server for anything.
    """
    visitors: list[Visitor] = []

    def begin(
        signed_in: bool = True,
        locale: Locale = Locale.EN,
        role: Role = Role.LEARNER,
        by_form: bool = False,
        at: str = origin,
        **options: Any,
    ) -> Visitor:
        context = browser.new_context(locale=BROWSER_LANGUAGE[locale], **options)
        context.set_default_timeout(10_000)
        buyer = shop.buyer(locale=locale, role=role) if signed_in else None
        visitor = Visitor(at, context, context.new_page(), buyer)
        visitor.watch()
        visitors.append(visitor)
        if by_form:
            visitor.sign_in_by_form()
        elif buyer is not None:
            cookie = buyer.client.get_cookie("sid")
            assert cookie is not None
            context.add_cookies([{"name": "sid", "value": cookie.value, "url": origin}])
        return visitor

    yield begin
    for visitor in visitors:
        visitor.context.close()
    assert [text for visitor in visitors for text in visitor.complaints] == []
    assert [url for visitor in visitors for url in visitor.strangers()] == []


@pytest.fixture
def desk(shop: Shop, tools, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A shop in which one person may give back ¥10 alone, and a WeChat that waits to be told how a refund ends."""
    found = Desk(shop, tools)
    found.limits(single_fen=1_000)
    monkeypatch.setitem(shop.app.extensions, "portal_tools", found.tools)
    found.switch(refund_mode="manual")
    return found


@pytest.fixture
def buys_and_pays(desk: Desk, visit: Callable[..., Visitor]) -> Callable[[Visitor], str]:
    """Buy as a learner, pay on WeChat's phone, and see the license arrive; return the order's id."""

    def through(learner: Visitor) -> str:
        page = learner.open(f"/courses/{COURSE}")
        page.click(".button.pay")
        page.wait_for_selector("[data-state=awaiting_payment]")
        order_id = page.url.rsplit("/", 1)[1]
        phone = visit(signed_in=False, at=desk.shop.sandbox.url)
        phone.open(f"/phone/scan?code_url={quote(str(desk.shop.payment(order_id).code_url), safe='')}")
        phone.page.locator(".cashier .button-wide").click()
        page.wait_for_selector("[data-state=delivered]")
        return order_id

    return through


def badge(page: Page | Locator, text: str) -> None:
    """See what the first badge says."""
    expect(page.locator(".badge").first).to_contain_text(text)
