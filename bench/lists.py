"""The pages of the admin's lists, by address: each list with each filter it offers, its first page and page 1,000."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from bench.million import FIRST
from bench.sql_time import Cost, SqlTime
from portal.audit.models import AuditRow
from portal.audit.queries import AuditFilter
from portal.cases.models import Case, CaseKind
from portal.desk.listing import Wanted
from portal.disputes.models import Dispute
from portal.grants.models import Grant, GrantStatus
from portal.kit import beijing, clock, ids
from portal.kit.db import db
from portal.kit.keyset import Place, cursor_of
from portal.learners.models import Learner, LoginSession, Role
from portal.licenses.models import License, LicenseStatus
from portal.orders.models import Order, OrderStatus
from portal.payments.models import TransferStatus
from portal.refunds.models import Refund, RefundStatus
from portal.staff.models import CourseInstructor
from portal.transfers.models import Transfer
from portal.transfers.queries import ToDo

PAGE, SIZE = 1_000, 50
ALLOWED_MS = 50.0
_COURSE = "course-05"
# What the instructor who asks teaches.
_TAUGHT = [f"course-{number:02d}" for number in range(3)]


@dataclass(frozen=True)
class List:
    """A list as somebody asks for it.

    `rows` selects moment and id of its rows in the order of the list, `listing` names it in cursors; without one
    the next page is asked for by the id in `before`.
    """

    path: str
    filters: dict[str, str]
    rows: Any
    listing: Sequence[object] | None
    role: Role = Role.ADMIN

    @property
    def words(self) -> str:
        """What is asked for."""
        who = "" if self.role is Role.ADMIN else f" ({self.role.value})"
        return f"{self.path}?{urlencode(self.filters)}".rstrip("?") + who

    def pages(self) -> tuple[str, str]:
        """Return the addresses of the first page, and of page 1,000 or the last."""
        return f"/admin/{self.path}?{urlencode(self.filters)}", (
            f"/admin/{self.path}?{urlencode({**self.filters, **self._place()})}"
        )

    def _place(self) -> dict[str, str]:
        """Return what asks for page 1,000, or for the last page of a shorter list."""
        rows = db.session.execute(self.rows.limit((PAGE - 1) * SIZE)).all()
        pages = len(rows) // SIZE if len(rows) == (PAGE - 1) * SIZE else (len(rows) - 1) // SIZE
        if pages <= 0:
            return {}
        at, row_id = rows[pages * SIZE - 1]
        if self.listing is None:
            return {"before": str(row_id)}
        return {"cursor": cursor_of(Place(at, row_id), self.listing)}


def every_list() -> Iterator[List]:
    """Return every list that a million orders make long, with every filter and pair of filters."""
    today = beijing.day_of(clock.now())
    yield from _orders(today)
    yield from _licenses()
    for refund_status in (None, *RefundStatus):
        yield _by_id("refunds", Refund, Refund.created_at, refund_status)
    for grant_status in (None, *GrantStatus):
        yield _by_id("grants", Grant, Grant.created_at, grant_status)
    yield from _transfers()
    yield from _audit(today)
    yield from _cases()
    for state in ("open", "all", "processed"):
        rows = sa.select(Dispute.complained_at, Dispute.id).order_by(
            Dispute.complained_at.desc(), Dispute.id.desc()
        )
        if state != "all":
            rows = rows.where((Dispute.state == "processed") == (state == "processed"))
        yield List("disputes", {"state": state}, rows, ("disputes", state))
    yield from _people()
    no_rows = sa.select(Order.created_at, Order.id).where(sa.false())
    for path in ("reconciliation", "jobs", "courses", "settings"):
        yield List(path, {}, no_rows, None)


def _orders(today: date) -> Iterator[List]:
    month = (today - timedelta(days=200), today - timedelta(days=171))
    periods: list[tuple[date | None, date | None]] = [(None, None), month, (today, today)]
    for status, course, (first, last) in itertools.product((None, *OrderStatus), (None, _COURSE), periods):
        yield _order_list(Wanted(status, course, first, last))
    for status, (first, last) in itertools.product((None, *OrderStatus), periods):
        yield _order_list(Wanted(status, None, first, last, courses=_TAUGHT), Role.INSTRUCTOR)
    yield _order_list(Wanted(learner_id=FIRST + 711))


def _order_list(wanted: Wanted, role: Role = Role.ADMIN) -> List:
    filters = {
        "status": wanted.status and wanted.status.value,
        "course": wanted.course_id,
        "from": wanted.first and wanted.first.isoformat(),
        "to": wanted.last and wanted.last.isoformat(),
        "learner": f"person{wanted.learner_id - FIRST:014d}" if wanted.learner_id else None,
    }
    rows = sa.select(Order.created_at, Order.id).order_by(Order.created_at.desc(), Order.id.desc())
    courses = [wanted.course_id] if wanted.course_id else wanted.courses
    for condition, value in (
        (Order.status == (wanted.status and wanted.status.value), wanted.status),
        (Order.product_id.in_(courses or ()), courses),
        (Order.learner_id == wanted.learner_id, wanted.learner_id),
    ):
        rows = rows.where(condition) if value is not None else rows
    if wanted.first is not None and wanted.last is not None:
        end = beijing.begin_of(wanted.last + timedelta(days=1))
        rows = rows.where(Order.created_at >= beijing.begin_of(wanted.first), Order.created_at < end)
    return List(
        "orders", {name: value for name, value in filters.items() if value}, rows, wanted.listing, role
    )


def _licenses() -> Iterator[List]:
    for status, course in itertools.product((None, *LicenseStatus), (None, _COURSE)):
        filters = {"status": status and status.value, "course": course}
        yield _license_list({name: value for name, value in filters.items() if value})
    yield _license_list({}, Role.INSTRUCTOR)
    yield _license_list({"q": "person711@example.com"})
    yield _license_list({"q": f"00000000-0000-4000-8000-{FIRST + 711:012d}"})


def _license_list(filters: dict[str, str], role: Role = Role.ADMIN) -> List:
    rows = sa.select(License.issued_at, License.entitlement_id).order_by(License.entitlement_id.desc())
    if "status" in filters:
        rows = rows.where(License.status == filters["status"])
    if "course" in filters:
        rows = rows.where(License.course_id == filters["course"])
    if "q" in filters:
        rows = rows.where(sa.false())
    if role is Role.INSTRUCTOR:
        rows = rows.where(License.course_id.in_(_TAUGHT))
    return List("licenses", filters, rows, ("licenses", *sorted(filters.items())), role)


def _by_id(path: str, table: Any, at: Any, status: Any) -> List:
    rows = sa.select(at, table.id).order_by(table.id.desc())
    if status is None:
        return List(path, {}, rows, None)
    return List(path, {"status": status.value}, rows.where(table.status == status.value), None)


def _transfers() -> Iterator[List]:
    open_ones = (TransferStatus.TOLD.value, TransferStatus.CHECKED.value)
    for which, role in itertools.product((None, *ToDo), (Role.ADMIN, Role.INSTRUCTOR)):
        rows = sa.select(Transfer.created_at, Transfer.id).order_by(Transfer.id.desc())
        if which is not None:
            rows = rows.where(Transfer.status.in_(open_ones if which is ToDo.OPEN else (which.value,)))
        if role is Role.INSTRUCTOR:
            rows = rows.where(Transfer.course_id.in_(_TAUGHT))
        yield List("confirmations", {"status": which.value if which else ""}, rows, None, role)
    no_rows = sa.select(Transfer.created_at, Transfer.id).where(sa.false())
    yield List("confirmations", {"reference": f"{FIRST + 9:08d}"}, no_rows, None)


def _audit(today: date) -> Iterator[List]:
    long_ago = today - timedelta(days=200)
    values = {
        "actor": f"staff:person{3:014d}",
        "action": "order.commented",
        "subject": f"order:order{710:015d}",
        "day": long_ago.isoformat(),
    }
    for names in ((), *itertools.combinations(values, 1), *itertools.combinations(values, 2)):
        filters = {name: values[name] for name in names}
        wanted = AuditFilter(**{**filters, "day": long_ago if "day" in filters else None})  # type: ignore[arg-type]
        rows: Any = sa.select(AuditRow.at, AuditRow.id).order_by(AuditRow.at.desc(), AuditRow.id.desc())
        yield List("audit", filters, wanted.apply(rows), ("audit", wanted))
    yield List(
        "audit", {"actor": "nobody"}, sa.select(AuditRow.at, AuditRow.id).where(sa.false()), ("audit",)
    )
    yield List("audit", {}, sa.select(AuditRow.at, AuditRow.id).where(sa.false()), ("audit",), Role.SUPPORT)


def _cases() -> Iterator[List]:
    for state, kind in itertools.product(("open", "all", "closed"), ("", *CaseKind)):
        rows = sa.select(Case.created_at, Case.id).order_by(Case.id.desc())
        rows = rows.where(Case.status == state) if state != "all" else rows
        rows = rows.where(Case.kind == kind) if kind else rows
        filters = {"state": state, **({"kind": str(kind)} if kind else {})}
        yield List("cases", filters, rows, ("cases", state, str(kind), "", ""))
        if not kind:
            no_rows = rows.where(sa.false())
            yield List("cases", {**filters, "owner": "mine"}, no_rows, ("cases",))


def _people() -> Iterator[List]:
    for search, role in itertools.product(("", "person711@example.com", "person47", "person"), (None, *Role)):
        in_order = Learner.email if search else Learner.id.desc()
        rows = sa.select(Learner.created_at, Learner.id).order_by(in_order)
        rows = rows.where(Learner.role == role.value) if role else rows
        rows = rows.where(Learner.email.startswith(search)) if search else rows
        filters = {**({"q": search} if search else {}), **({"role": role.value} if role else {})}
        yield List("users", filters, rows, ("people", search, role or ""))


def _sign_in(role: Role) -> str:
    """Make a member of the staff who is signed in, and return the secret of the session."""
    now, secret = clock.now(), ids.new_secret()
    person = Learner(
        public_id=ids.new_public_id(), email=f"{role.value}@example.com", password_hash=secret, role=role.value,
        locale="en", created_at=now,
    )  # fmt: skip
    db.session.add(person)
    db.session.flush()
    db.session.add(
        LoginSession(
            public_id=ids.new_public_id(), token_hash=ids.secret_hash(secret), learner_id=person.id,
            user_agent="bench", address="127.0.0.1", created_at=now, last_seen_at=now, second_factor_at=now,
            expires_at=now + timedelta(days=1),
        )
    )  # fmt: skip
    if role is Role.INSTRUCTOR:
        for course in _TAUGHT:
            db.session.add(CourseInstructor(learner_id=person.id, course_id=course))
    db.session.commit()
    return secret


class Staff:
    """People of the staff who are signed in with their second factor: a browser for each role."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._browsers: dict[Role, FlaskClient] = {}

    def browser(self, role: Role) -> FlaskClient:
        """Return somebody's browser; an instructor teaches three courses."""
        if role not in self._browsers:
            with self._app.app_context():
                secret = _sign_in(role)
            # Outside of the context: within it all requests would share what one of them remembers.
            client = self._app.test_client()
            with client.session_transaction() as session:
                session.update(secret=secret, _permanent=True)
            self._browsers[role] = client
        return self._browsers[role]

    def get(self, role: Role, address: str) -> Callable[[], None]:
        """Return the act of asking for a page."""

        def ask() -> None:
            response = self.browser(role).get(address)
            if response.status_code != 200:
                raise RuntimeError(f"{address}: {response.status_code}")

        return ask


def measure_lists(app: Flask, sql: SqlTime, staff: Staff) -> list[tuple[str, Cost, Cost]]:
    """Return what the first page and page 1,000 of every list cost, the worst first."""
    found = []
    with app.app_context():
        asked = [(one, *one.pages()) for one in every_list()]
    for one, first, later in asked:
        costs = [sql.of(staff.get(one.role, address)) for address in (first, later)]
        found.append((one.words, costs[0], costs[1]))
    return sorted(found, key=lambda line: -max(line[1].cpu_ms, line[2].cpu_ms))
