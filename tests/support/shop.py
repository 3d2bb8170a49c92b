"""The portal through the doors its users use, for tests that are about money."""

import html
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal import jobs
from portal.doctor.examination import examine_promises
from portal.kit.db import db
from portal.learners.models import Learner, Role
from portal.orders.models import Order
from portal.payments.models import Payment
from tests.factories.learners import make_learner, sign_in
from tests.support import books
from tests.support.processes import Sandbox

CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
COURSE = "cpp-primer-5th"


@dataclass
class Buyer:
    """A learner at a browser."""

    app: Flask
    client: FlaskClient
    learner: Learner

    def sign_in_again(self) -> None:
        """Begin a new session, where the time of the old one is over."""
        sign_in(self.client, self.learner)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, **options)

    def post(
        self, path: str, form: dict[str, Any] | None = None, page: str | None = None, **options: Any
    ) -> TestResponse:
        """Send a form, with the token of `page` (or of the catalogue)."""
        text = self.get(page or "/courses").get_data(as_text=True)
        match = CSRF.search(text)
        assert match, f"no form on {page}"
        return self.client.post(path, data={"csrf_token": html.unescape(match[1]), **(form or {})}, **options)

    def buy(self, course_id: str = COURSE, **form: Any) -> str:
        """Press *buy* and return the order's id."""
        response = self.post(f"/courses/{course_id}/buy", form, page=f"/courses/{course_id}")
        assert response.status_code == 303, response.get_data(as_text=True)[:500]
        assert "/checkout/" in response.location, response.location
        return str(response.location.rsplit("/", 1)[1])

    def state(self, order_id: str) -> str:
        """Return the state that the page of an order polls."""
        response = self.get(f"/checkout/{order_id}/status")
        assert response.status_code == 200, response.status
        return str(response.get_json()["state"])


class Shop:
    """Everything around a purchase."""

    def __init__(self, app: Flask, sandbox: Sandbox) -> None:
        self.app = app
        self.sandbox = sandbox

    def buyer(self, **options: Any) -> Buyer:
        """Register somebody and sign them in."""
        client = self.app.test_client()
        with self.app.app_context():
            learner = make_learner(**options)
        sign_in(client, learner)
        return Buyer(self.app, client, learner)

    def staff(self, role: Role = Role.ADMIN, **options: Any) -> Buyer:
        """Make a member of staff, signed in with a second factor shown just now."""
        return self.buyer(role=role, **options)

    def payment(self, order_id: str, nth: int = -1) -> Payment:
        """Return an attempt of an order, the last one unless told."""
        with self.app.app_context():
            query = (
                sa.select(Payment)
                .join(Order, Order.id == Payment.order_id)
                .where(Order.public_id == order_id)
            )
            found = list(db.session.scalars(query.order_by(Payment.id)))[nth]
            db.session.expunge(found)
            return found

    def order(self, order_id: str) -> Order:
        """Return an order."""
        with self.app.app_context():
            found = db.session.scalars(sa.select(Order).where(Order.public_id == order_id)).one()
            db.session.expunge(found)
            return found

    def pay(self, order_id: str, **options: Any) -> Any:
        """Scan and pay; WeChat tells nobody of it unless `notify` is true."""
        facts = {"out_trade_no": self.payment(order_id).out_trade_no, "notify": False, **options}
        return self.sandbox.control("POST", "/control/pay", facts)

    def notification(self, order_id: str, **options: Any) -> dict[str, Any]:
        """Return a genuine notification about an order, not delivered: its headers and body."""
        out_trade_no = options.pop("out_trade_no", None) or self.payment(order_id).out_trade_no
        built: dict[str, Any] = self.sandbox.control(
            "POST", "/control/notifications/build", {"out_trade_no": out_trade_no, **options}
        )
        return built

    def deliver(self, notification: dict[str, Any]) -> TestResponse:
        """Send a notification to the portal."""
        return self.app.test_client().post(
            "/notify/wechat",
            data=notification["body"].encode(),
            headers=notification["headers"],
            content_type="application/json",
        )

    def notify(self, order_id: str, **options: Any) -> TestResponse:
        """Build a notification and send it."""
        return self.deliver(self.notification(order_id, **options))

    def work(self, rounds: int = 1) -> None:
        """Do what the worker does."""
        with self.app.app_context():
            for _ in range(rounds):
                jobs.sweep(self.app.extensions["portal_tools"])

    def books(self) -> list[dict[str, Any]]:
        """Return WeChat's own books."""
        orders: list[dict[str, Any]] = self.sandbox.control("GET", "/control/orders")["orders"]
        return orders

    def refunds(self) -> list[dict[str, Any]]:
        """Return WeChat's own books of refunds."""
        refunds: list[dict[str, Any]] = self.sandbox.control("GET", "/control/refunds")["refunds"]
        return refunds

    def differences(self) -> list[str]:
        """Return what differs between WeChat's books and ours, and what the doctor finds, once all is at rest."""
        with self.app.app_context():
            with db.engine.connect() as connection:
                found = books.differences(connection, self.books(), self.refunds())
            promises = examine_promises(self.app.extensions["portal_tools"], timedelta(0))
        return found + [f"{broken.check}: {broken.ids}" for broken in promises]

    def calls(self, order_id: str, route: str) -> int:
        """Count the requests of a kind (create, query, close) that WeChat got for an order's last attempt."""
        out_trade_no = self.payment(order_id).out_trade_no
        log = self.sandbox.control("GET", f"/control/requests?out_trade_no={out_trade_no}&route={route}")
        return len(log["requests"] if isinstance(log, dict) else log)
