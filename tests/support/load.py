"""Learners who buy over HTTP, many at once, and try again whatever failed, as people do.

with Customers(shop, many=6, draw=random.Random(seed)) as customers:
    customers.wait_for(12)              # purchases, each from the button to the license
    ...                                 # break something
assert customers.failures == []         # every request that got no answer, or a 5xx
"""

import html
import json
import random
import threading
import time
from dataclasses import dataclass

import requests
from flask import Flask

from portal.app import create_app
from portal.config import load_settings
from portal.kit.db import db
from scripts.processes import ProcessFailed
from tests.factories.learners import make_learner, sign_in
from tests.support.browser import CSRF
from tests.support.running import RunningShop, eventually

COURSES = ("cpp-primer-5th", "javascript-complete", "react-complete")
_PATIENCE_SECONDS = 240.0
_IMPATIENT_SECONDS = 6.0
_BROWSERS_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Purchase:
    """One purchase that came to its end, and what was seen on the way.

    Seconds from the payment to the license on the page, None when unpaid.
    """

    order_id: str
    state: str
    seconds: float | None
    steps: str


class GaveUp(Exception):
    """A customer waited longer than anybody would; the text tells for what."""


class Customer:
    """One learner at a browser without keep-alive: every request is a connection of its own, as behind a proxy."""

    def __init__(
        self,
        shop: RunningShop,
        cookie: str,
        draw: random.Random,
        failures: list[str],
        faults: float,
        is_too_late: threading.Event,
    ) -> None:
        self.order_id = ""
        self._steps: list[tuple[float, str]] = []
        self._is_too_late = is_too_late
        self._shop = shop
        self._faults = faults
        self._draw = draw
        self._failures = failures
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Connection"] = "close"
        self._http.cookies.set("sid", cookie, domain="127.0.0.1", path="/")
        self._token = ""
        self._deadline = 0.0

    def buy(self, course: str) -> Purchase:
        """Buy a course and stay until its license is there, or the order has another end.

        Raises:
            GaveUp: after four minutes.
        """
        self._deadline = time.monotonic() + _PATIENCE_SECONDS
        self.order_id, self._steps = "", []
        self._step(f"buys {course}")
        location = self._insist("POST", f"/courses/{course}/buy")
        if "/checkout/" not in location:
            return Purchase("", "owned", None, self.steps())
        self.order_id = order_id = location.rsplit("/", 1)[1]
        state = self._watch(order_id, {"preparing", "gateway_down", "confirming"})
        if state == "awaiting_payment" and self._draw.random() < self._faults:
            self._insist("POST", f"/checkout/{order_id}/cancel")
        paid_at = None
        if state == "awaiting_payment" and self._pay(order_id):
            paid_at = time.monotonic()
            self._step("paid")
        state = self._watch(
            order_id,
            {"preparing", "gateway_down", "awaiting_payment", "confirming", "delivering", "delivery_delayed"},
        )
        seconds = None if paid_at is None else time.monotonic() - paid_at
        return Purchase(order_id, state, seconds, self.steps())

    def steps(self) -> str:
        """Tell what was done and seen in this purchase, each with its second."""
        began = self._steps[0][0]
        return ", ".join(f"{what} {at - began:.1f}" for at, what in self._steps)

    def _step(self, what: str) -> None:
        if not self._steps or self._steps[-1][1] != what:
            self._steps.append((time.monotonic(), what))

    def _pay(self, order_id: str) -> bool:
        """Scan the code that the order shows; tell whether WeChat took the money."""
        statement = (
            "SELECT p.code_url FROM payments p JOIN orders o ON o.id = p.order_id "
            "WHERE o.public_id = :id AND p.code_url IS NOT NULL ORDER BY p.id DESC"
        )
        is_told = self._draw.random() >= self._faults
        while True:
            try:
                found = self._shop.rows(statement, id=order_id)
                facts = {"code_url": found[0][0], "notify": is_told}
                self._shop.sandbox.control("POST", "/control/pay", facts)
                return True
            except ProcessFailed as error:
                # A code may die, and an order be closed, under the learner's eyes; paid is paid.
                return "already_paid" in str(error)
            except Exception:
                self._pause()

    def _watch(self, order_id: str, passing: set[str]) -> str:
        """Look at the page until its state is none of `passing`; press *I have paid* when nothing happens."""
        asked_at = time.monotonic()
        while True:
            try:
                state = str(json.loads(self._insist("GET", f"/checkout/{order_id}/status"))["state"])
            except ValueError:
                state = "preparing"
            self._step(state)
            if state not in passing:
                return state
            if state == "awaiting_payment" and time.monotonic() > asked_at + _IMPATIENT_SECONDS:
                self._step("presses I have paid")
                self._insist("POST", f"/checkout/{order_id}/check")
                asked_at = time.monotonic()
            self._pause()

    def _insist(self, method: str, path: str) -> str:
        """Make a request until it is answered; return where it leads (POST) or its text (GET)."""
        while True:
            try:
                if method == "POST" and not self._token:
                    page = self._request("GET", "/courses")
                    if page.status_code != 200:
                        self._fail("GET", "/courses", str(page.status_code))
                        self._pause()
                        continue
                    self._token = html.unescape(CSRF.findall(page.text)[0])
                answer = self._request(method, path)
                if answer.status_code in {200, 303}:
                    return answer.headers["Location"] if method == "POST" else answer.text
                if answer.status_code < 429:
                    raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
                if answer.status_code >= 500:
                    self._fail(method, path, str(answer.status_code))
            except requests.RequestException as error:
                self._fail(method, path, type(error).__name__)
            self._pause()

    def _request(self, method: str, path: str) -> requests.Response:
        form = {"csrf_token": self._token} if method == "POST" else None
        url = self._shop.portal.url + path
        return self._http.request(
            method, url, data=form, timeout=_BROWSERS_PATIENCE_SECONDS, allow_redirects=False
        )

    def _fail(self, method: str, path: str, how: str) -> None:
        self._failures.append(f"{method} {path}: {how}")
        self._step(how)

    def _pause(self) -> None:
        if time.monotonic() > self._deadline or self._is_too_late.is_set():
            raise GaveUp(f"order {self.order_id or 'none'}: {self.steps()}")
        time.sleep(0.2 + 0.2 * self._draw.random())


class Customers:
    """Threads of customers, from entering the block until its end; each purchase begun is brought to its end.

    `faults` is the share of purchases that are cancelled, and of those that WeChat never tells of.
    """

    def __init__(
        self,
        shop: RunningShop,
        many: int,
        draw: random.Random,
        *,
        most: int = 10**9,
        faults: float = 0,
    ) -> None:
        self.purchases: list[Purchase] = []
        self.failures: list[str] = []
        self.errors: list[BaseException] = []
        self._shop = shop
        self._app = app_of(shop)
        self._faults = faults
        self._left = most
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._is_too_late = threading.Event()
        self._buying: dict[int, Customer] = {}
        self._threads = [
            threading.Thread(target=self._live, args=(random.Random(draw.random()),)) for _ in range(many)
        ]

    def __enter__(self) -> "Customers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._is_over.set()
        if kind is not None:
            self._is_too_late.set()
        self.join()
        # Its connections are the server's, which has no end of them only as long as nobody keeps them.
        with self._app.app_context():
            db.engine.dispose()
        if kind is None and self.errors:
            raise self.errors[0]

    @property
    def are_buying(self) -> bool:
        """Tell whether anybody has not yet come to the end of all purchases."""
        return any(thread.is_alive() for thread in self._threads)

    def buying(self) -> list[Customer]:
        """Return those in the middle of a purchase, and those who gave theirs up."""
        with self._lock:
            return list(self._buying.values())

    def stop_waiting(self) -> None:
        """Let everybody give up what they are waiting for."""
        self._is_over.set()
        self._is_too_late.set()

    def join(self) -> None:
        """Wait until all that was to be bought is bought."""
        for thread in self._threads:
            thread.join()

    def wait_for(self, many: int, seconds: float = 90) -> None:
        """Wait until `many` more purchases have come to their end."""
        wanted = len(self.purchases) + many
        try:
            eventually(lambda: len(self.purchases) >= wanted or self.errors, f"{many} purchases", seconds)
        except AssertionError as error:
            waiting = [customer.steps() for customer in self.buying()]
            raise AssertionError("\n".join([str(error), *waiting, *self.failures[-5:]])) from None
        if self.errors:
            raise self.errors[0]

    def _live(self, draw: random.Random) -> None:
        try:
            while not self._is_over.is_set():
                customer = self._customer(draw)
                for course in draw.sample(COURSES, len(COURSES)):
                    with self._lock:
                        if self._left == 0 or self._is_over.is_set():
                            return
                        self._left -= 1
                        self._buying[id(customer)] = customer
                    self.purchases.append(customer.buy(course))
                    with self._lock:
                        del self._buying[id(customer)]
        except BaseException as error:
            self.errors.append(error)

    def _customer(self, draw: random.Random) -> Customer:
        """Return somebody new, who signed in before anything broke."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                client = self._app.test_client()
                with self._app.app_context():
                    learner = make_learner(email=f"learner{draw.getrandbits(60)}@example.com")
                sign_in(client, learner)
                cookie = client.get_cookie("sid")
                assert cookie is not None
                return Customer(
                    self._shop, cookie.value, draw, self.failures, self._faults, self._is_too_late
                )
            except AssertionError:
                raise
            except Exception:  # the database may be the very thing that is broken
                if time.monotonic() > deadline or self._is_too_late.is_set():
                    raise
                time.sleep(0.3)


def app_of(shop: RunningShop) -> Flask:
    """Return the running portal's app in this process, on the same database: to sign people in, and to judge."""
    return create_app(load_settings(shop.env | {"PORTAL_FAULT": ""}))
