"""`/admin`: today at a glance, and the screens that the reader may open."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from flask import render_template, url_for
from flask_babel import get_locale, gettext, ngettext

from portal.desk import glance
from portal.doctor.heartbeat import silence
from portal.kit import wording
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission, may
from portal.web.admin.door import bp
from portal.web.staff import required_staff, staff_may

_SILENT = timedelta(minutes=1)


@dataclass(frozen=True)
class Tile:
    """A number, what it counts, and where its rows are. `kind`: good, warn, bad or nothing."""

    name: str
    value: str
    detail: str = ""
    url: str | None = None
    kind: str = ""


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
    if may(reader, Permission.APPROVE):
        count = glance.refunds_to_approve()
        yield Tile(gettext("Refunds to approve"), str(count), kind="warn" if count else "")
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
        yield Tile(gettext("Work given up"), str(count), kind="bad" if count else "good")


def _worker() -> Tile:
    silent = silence()
    if silent is None:
        return Tile(gettext("Worker"), gettext("never seen"), kind="bad")
    seconds = max(int(silent.total_seconds()), 0)
    text = gettext("%(count)s s ago", count=seconds)
    return Tile(gettext("Worker's last sign of life"), text, kind="bad" if silent > _SILENT else "good")


def _reconciliation() -> Tile:
    day = glance.last_bill_day()
    text = gettext("none yet") if day is None else day.isoformat()
    return Tile(gettext("Newest bill taken up"), text, url=url_for("admin.reconciliation"))


def _sales() -> Tile:
    sales, until = glance.sales_of_today(courses_within(required_staff(), Permission.SEE_SUMS))
    count = ngettext("%(num)s sale", "%(num)s sales", sales.sold_count)
    until_text = wording.instant_text(until, str(get_locale())) if until else gettext("not counted yet")
    detail = gettext("%(count)s; as of %(moment)s", count=count, moment=until_text)
    return Tile(gettext("Paid today"), wording.price_text(sales.sold_fen), detail, url_for("admin.reports"))


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
        url_for("admin.orders", status="paid"),
        "bad" if found.undelivered else "good",
    )
