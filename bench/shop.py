"""A shop to be measured: courses, people who are signed in, orders in any state, and WeChat Pay's news of them."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from flask import Flask
from itsdangerous import URLSafeTimedSerializer

from portal.app import create_app
from portal.catalogue.models import Course, Product
from portal.config import load_settings
from portal.kit import clock, ids
from portal.kit.db import db
from portal.learners.models import Learner, Locale, LoginSession, Role
from portal.licenses.models import Entitlement, License
from portal.licenses.services import ownership_key
from portal.orders.models import Order
from portal.orders.services import open_key
from portal.payments.models import Payment
from portal.payments.qr import draw_qr
from sandbox.clock import rfc3339
from sandbox.envelope import notification_body, seal
from sandbox.keys import Keys, load_or_make
from tests.support.processes import Sandbox, flask, portal_environment

COURSES = 24
FEN = 9900
_BATCH = 500
_BROWSER = (
    "Host: 127.0.0.1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
    " Safari/537.36\r\n"
    "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
)


@dataclass(frozen=True)
class Person:
    """A learner who is signed in. `cookie` is what the browser sends, `token` proves its forms."""

    id: int
    public_id: str
    cookie: str
    token: str


def course_id(number: int) -> str:
    """Return the id of the nth course, from 0."""
    return f"course-{number:02d}"


def get(path: str, cookie: str, *headers: str) -> bytes:
    """Return a browser's request for a page."""
    more = "".join(f"{header}\r\n" for header in headers)
    return f"GET {path} HTTP/1.1\r\n{_BROWSER}Accept: text/html\r\nCookie: {cookie}\r\n{more}\r\n".encode()


def post(path: str, cookie: str, form: str) -> bytes:
    """Return the request of a browser that sends a form."""
    return (
        f"POST {path} HTTP/1.1\r\n{_BROWSER}Accept: text/html\r\nCookie: {cookie}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n{form}"
    ).encode()


class Shop:
    """One database with a portal's tables, filled from this process without going through the doors."""

    def __init__(self, directory: Path, url: str, sandbox: Sandbox) -> None:
        self.env = portal_environment(directory, url, sandbox)
        self.sandbox = sandbox
        flask(self.env, "db", "upgrade")
        flask(self.env, "license-keys", "rotate")
        self.app: Flask = create_app(load_settings({**self.env, "LOG_LEVEL": "ERROR"}))
        self._keys: Keys = load_or_make(sandbox.data)
        self._numbers = itertools.count(1)
        self._add_courses()

    def insert(self, table: type[Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, some hundred to a statement, and commit."""
        with self.app.app_context(), db.engine.begin() as connection:
            for start in range(0, len(rows), _BATCH):
                connection.execute(sa.insert(table.__table__), rows[start : start + _BATCH])

    def next_ids(self, table: type[Any], count: int) -> range:
        """Return ids that no row of a table has yet."""
        with self.app.app_context(), db.engine.connect() as connection:
            last = connection.scalar(sa.select(sa.func.max(table.__table__.c.id))) or 0
        return range(last + 1, last + 1 + count)

    def _add_courses(self) -> None:
        now = clock.now()
        products, courses = [], []
        for number in range(COURSES):
            products.append(
                {
                    "id": course_id(number),
                    "kind": "course",
                    "title_zh": f"第 {number} 门课程：从入门到精通",
                    "title_en": f"Course {number}: From the First Line to the Last",
                    "summary_zh": "从第一个程序开始，一步一步写出可以放心交付的代码。每一章都有练习和答案。",
                    "summary_en": "From a first program to code one can rely on; every chapter has exercises.",
                    "price_fen": FEN,
                    "currency": "CNY",
                    "is_on_sale": True,
                    "position": number,
                    "updated_at": now,
                }
            )
            courses.append(
                {
                    "id": course_id(number),
                    "level": "beginner",
                    "estimated_hours": 20,
                    "license_days": 365,
                    "max_downloads": 5,
                    "chapters": [
                        {
                            "id": f"{n}",
                            "title_zh": f"第 {n} 章",
                            "title_en": f"Chapter {n}",
                            "protected": n > 2,
                        }
                        for n in range(1, 11)
                    ],
                    "gitee": None,
                }
            )
        self.insert(Product, products)
        self.insert(Course, courses)

    def people(self, count: int) -> list[Person]:
        """Register `count` learners and sign them in."""
        now, rows, sessions, found = clock.now(), [], [], []
        for number in self.next_ids(Learner, count):
            public_id, secret = ids.new_public_id(), ids.new_secret()
            rows.append(
                {
                    "id": number,
                    "public_id": public_id,
                    "email": f"{public_id}@example.com",
                    "password_hash": "-",
                    "role": Role.LEARNER.value,
                    "locale": Locale.ZH.value,
                    "created_at": now,
                }
            )
            sessions.append(
                {
                    "public_id": ids.new_public_id(),
                    "token_hash": ids.secret_hash(secret),
                    "learner_id": number,
                    "user_agent": "bench",
                    "address": "127.0.0.1",
                    "created_at": now,
                    "last_seen_at": now,
                    "expires_at": now + timedelta(days=30),
                }
            )
            found.append(Person(number, public_id, *self.cookie(secret)))
        self.insert(Learner, rows)
        self.insert(LoginSession, sessions)
        return found

    def cookie(self, secret: str | None = None) -> tuple[str, str]:
        """Return the cookie of a browser (signed in when there is a secret), and the token of its forms."""
        serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
        token = ids.secret_hash(ids.new_secret())[:40]
        session: dict[str, Any] = {"csrf_token": token}
        if secret is not None:
            session |= {"secret": secret, "_permanent": True}
        keys = self.app.config["WTF_CSRF_SECRET_KEY"]
        form_token = URLSafeTimedSerializer(keys, salt="wtf-csrf-token").dumps(token)
        return f"sid={serializer.dumps(session)}", str(form_token)

    def orders(self, buyers: Sequence[tuple[Person, int]], *, is_paid: bool = False) -> list[dict[str, Any]]:
        """Place an order for each buyer and number of a course, its code shown; `is_paid`: with its license."""
        orders, payments = [], []
        qr_svg = draw_qr("weixin://wxpay/bizpayurl?pr=ABCDEFGHIJK")
        numbers = zip(self.next_ids(Order, len(buyers)), self.next_ids(Payment, len(buyers)), strict=True)
        for (person, course), (order_id, payment_id) in zip(buyers, numbers, strict=True):
            orders.append(_order(order_id, person, course, is_paid))
            payments.append(self._payment(payment_id, orders[-1], qr_svg, is_paid))
        self.insert(Order, orders)
        self.insert(Payment, payments)
        if is_paid:
            self._add_licenses(orders, payments)
        return [
            {**order, "out_trade_no": payment["out_trade_no"]}
            for order, payment in zip(orders, payments, strict=True)
        ]

    def _payment(self, number: int, order: Mapping[str, Any], qr_svg: str, is_paid: bool) -> dict[str, Any]:
        merchant, now = self._keys.merchant, clock.now()
        return {
            "id": number,
            "order_id": order["id"],
            "gateway": "wechat_pay",
            "mode": "test",
            "mchid": merchant.mchid,
            "appid": merchant.appid,
            "out_trade_no": ids.new_out_trade_no("T", now),
            "amount_fen": FEN,
            "currency": "CNY",
            "request": {"description": "Learning Buddy", "amount": {"total": FEN, "currency": "CNY"}},
            "status": "paid" if is_paid else "open",
            "open_key": None if is_paid else order["id"],
            "code_url": "weixin://wxpay/bizpayurl?pr=ABCDEFGHIJK",
            "code_url_at": now,
            "qr_svg": qr_svg,
            "transaction_id": f"42000{number:023d}" if is_paid else None,
            "verified_by": "notify" if is_paid else None,
            "created_at": now,
            "paid_at": now if is_paid else None,
        }

    def _add_licenses(
        self, orders: Sequence[Mapping[str, Any]], payments: Sequence[Mapping[str, Any]]
    ) -> None:
        now, rights, licenses = clock.now(), [], []
        lines = zip(self.next_ids(Entitlement, len(orders)), orders, payments, strict=True)
        for number, order, payment in lines:
            common = {"learner_id": order["learner_id"], "course_id": order["product_id"], "status": "active"}
            ends = now + timedelta(days=365)
            rights.append(
                {
                    **common,
                    "id": number,
                    "order_id": order["id"],
                    "payment_id": payment["id"],
                    "active_key": ownership_key(order["learner_id"], order["product_id"]),
                    "max_downloads": 5,
                    "granted_at": now,
                    "expires_at": ends,
                }
            )
            licenses.append(
                {
                    **common,
                    "id": ids.new_uuid(),
                    "entitlement_id": number,
                    "revision": 1,
                    "active_key": number,
                    "kid": "bench",
                    "text": f"{'A' * 500}|{'B' * 500}",
                    "digest": ids.secret_hash(f"license {number}"),
                    "issued_at": now,
                    "expires_at": ends,
                }
            )
        self.insert(Entitlement, rights)
        self.insert(License, licenses)

    def notifications(self, orders: Sequence[Mapping[str, Any]], manner: str = "good") -> list[bytes]:
        """Return WeChat Pay's news that each order was paid, signed now: it is fresh for five minutes."""
        return [self._notification(order, manner) for order in orders]

    def _notification(self, order: Mapping[str, Any], manner: str) -> bytes:
        merchant, number = self._keys.merchant, order["out_trade_no"]
        moment = clock.now().timestamp()
        resource = {
            "appid": merchant.appid,
            "mchid": merchant.mchid,
            "out_trade_no": number,
            "transaction_id": f"42001{next(self._numbers):023d}",
            "trade_type": "NATIVE",
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "bank_type": "OTHERS",
            "attach": "",
            "success_time": rfc3339(moment),
            "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
            "amount": {"total": FEN, "payer_total": FEN, "currency": "CNY", "payer_currency": "CNY"},
        }
        body = notification_body(
            event_id=str(uuid5(NAMESPACE_URL, number)),
            event_type="TRANSACTION.SUCCESS",
            created_at=moment,
            resource_text=json.dumps(resource, ensure_ascii=False, separators=(",", ":")),
            apiv3_key=merchant.apiv3_keys[0],
        )
        envelope = seal(body, merchant.signing_keys[0], moment, manner)
        raw = body.encode()
        lines = "".join(f"{name}: {text}\r\n" for name, text in envelope.headers.items())
        head = f"POST /notify/wechat HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}Content-Length: {len(raw)}\r\n\r\n"
        return head.encode() + raw


def _order(number: int, person: Person, course: int, is_paid: bool) -> dict[str, Any]:
    now = clock.now()
    return {
        "id": number,
        "public_id": ids.new_public_id(),
        "learner_id": person.id,
        "product_id": course_id(course),
        "product_kind": "course",
        "title_zh": f"第 {course} 门课程：从入门到精通",
        "title_en": f"Course {course}: From the First Line to the Last",
        "amount_fen": FEN,
        "currency": "CNY",
        "license_days": 365,
        "max_downloads": 5,
        "mode": "test",
        "status": "completed" if is_paid else "pending",
        "open_key": None if is_paid else open_key(person.id, course_id(course)),
        "version": 3,
        "created_at": now,
        "expires_at": now + timedelta(hours=2),
        "paid_at": now if is_paid else None,
        "completed_at": now if is_paid else None,
    }


def pairs(people: Sequence[Person], courses: int) -> Iterator[tuple[Person, int]]:
    """Return each person with each of the first `courses` courses."""
    return ((person, course) for person in people for course in range(courses))
