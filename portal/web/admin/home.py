"""`/admin`: today at a glance, and the screens that the reader may open."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import render_template, url_for
from flask_babel import get_locale, gettext, ngettext

from portal.cases.models import CaseKind
from portal.catalogue.drafts import waiting_count
from portal.desk import glance
from portal.disputes.queries import most_urgent
from portal.doctor.heartbeat import silence
from portal.kit import beijing, clock, wording
from portal.refunds.models import RefundStatus
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission, may
from portal.transfers.queries import to_confirm
from portal.web.admin.dispute_words import time_left
from portal.web.admin.door import bp
from portal.web.staff import required_staff, staff_may

_SILENT = timedelta(minutes=1)


@dataclass(frozen=True)
class Tile:
    """A number, what it counts, and where its rows are. `kind`: good, warn, bad or nothing."""

    name: str
    value: str
    detail: str = ""
    kind: str = ""
    url: str = field(kw_only=True)


@bp.get("")
@staff_may(Permission.ENTER)
def home() -> str:
    """Show what there is to do, and the reader's screens."""
    return render_template("admin/home.html", tiles=list(_tiles()))


def _tiles() -> Iterator[Tile]:
    reader = required_staff()
    if may(reader, Permission.SEE_SUMS):
        yield _sales()
    if may(reader, Permission.FIND_ORDERS):
        yield from _orders()
    if may(reader, Permission.CONFIRM_PAYMENTS):
        count = to_confirm(courses_within(reader, Permission.CONFIRM_PAYMENTS))
        url = url_for("admin.confirmations")
        yield Tile(gettext("Transfers to confirm"), str(count), url=url, kind="warn" if count else "")
    if may(reader, Permission.APPROVE):
        count = glance.refunds_to_approve()
        url = url_for("admin.refunds", status=RefundStatus.REQUESTED)
        yield Tile(gettext("Refunds to approve"), str(count), url=url, kind="warn" if count else "good")
    if may(reader, Permission.CHANGE_COURSES):
        count = waiting_count()
        url = url_for("admin.courses", _anchor="drafts" if count else None)
        yield Tile(
            gettext("Course changes to approve"), str(count), url=url, kind="warn" if count else "good"
        )
    if may(reader, Permission.ANSWER_DISPUTES):
        yield _disputes()
    if may(reader, Permission.SEE_CASES):
        count = glance.open_cases()
        yield Tile(
            gettext("Open cases"), str(count), url=url_for("admin.cases"), kind="warn" if count else "good"
        )
    if may(reader, Permission.SEE_BOOKS):
        yield _reconciliation()
    if may(reader, Permission.SEE_JOBS):
        yield _worker()
        count = glance.dead_letters()
        url = url_for("admin.cases", kind=CaseKind.DEAD_LETTER)
        yield Tile(gettext("Work given up"), str(count), url=url, kind="bad" if count else "good")


def _disputes() -> Tile:
    count, first = most_urgent()
    left, kind = time_left(first) if first is not None else ("", "good")
    urgency = "bad" if kind == "bad" else "warn" if count else "good"
    return Tile(gettext("Open complaints"), str(count), left, urgency, url=url_for("admin.disputes"))


def _worker() -> Tile:
    silent, url = silence(), url_for("admin.worker")
    if silent is None:
        return Tile(gettext("Worker"), gettext("never seen"), url=url, kind="bad")
    seconds = max(int(silent.total_seconds()), 0)
    text = gettext("%(count)s s ago", count=seconds)
    kind = "bad" if silent > _SILENT else "good"
    return Tile(gettext("Worker's last sign of life"), text, url=url, kind=kind)


def _reconciliation() -> Tile:
    day = glance.last_bill_day()
    if day is None:
        return Tile(gettext("Newest bill taken up"), gettext("none yet"), url=url_for("admin.reconciliation"))
    url = url_for("admin.reconciliation_day", day=day.isoformat())
    return Tile(gettext("Newest bill taken up"), day.isoformat(), url=url)


def _sales() -> Tile:
    sales, until = glance.sales_of_today(courses_within(required_staff(), Permission.SEE_SUMS))
    count = ngettext("%(num)s sale", "%(num)s sales", sales.sold_count)
    until_text = wording.instant_text(until, str(get_locale())) if until else gettext("not counted yet")
    detail = gettext("%(count)s; as of %(moment)s", count=count, moment=until_text)
    today = beijing.day_of(clock.now()).isoformat()
    days: dict[str, Any] = {"from": today, "to": today}
    url = url_for("admin.reports", **days)
    return Tile(gettext("Paid today"), wording.price_text(sales.sold_fen), detail, url=url)


def _orders() -> Iterator[Tile]:
    found = glance.orders_at_work(courses_within(required_staff(), Permission.FIND_ORDERS))
    waiting = url_for("admin.orders", status="pending")
    yield Tile(gettext("Waiting for payment"), str(found.waiting), url=waiting)
    since = ""
    if found.late_since:
        moment = wording.instant_text(found.late_since, str(get_locale()))
        since = gettext("the oldest was paid at %(moment)s", moment=moment)
    yield Tile(
        gettext("Paid, no license yet"),
        str(found.undelivered),
        since,
        "bad" if found.undelivered else "good",
        url=url_for("admin.orders", status="paid"),
    )
