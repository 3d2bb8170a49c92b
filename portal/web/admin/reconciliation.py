"""`/admin/reconciliation`: the gateway's bills day by day, what differs, and what is done about it."""

import re
from collections.abc import Sequence
from datetime import date

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.gateways.base import BillKind, GatewayError
from portal.kit import beijing, clock
from portal.kit.errors import Invalid, NotFound
from portal.reconciliation import desk, queries
from portal.reconciliation.models import DifferenceKind
from portal.reconciliation.services import DAYS_KEPT, ONE_DAY
from portal.refunds.queries import GivingBack, possible_for
from portal.staff.permissions import Permission
from portal.web.admin.cases import actor
from portal.web.admin.door import bp
from portal.web.admin.reconciliation_words import DIFFERENCES, STATES, SUBJECTS
from portal.web.staff import staff_may, step_up
from portal.web.tools import tools

_GATEWAY = "wechat_pay"
_DAYS = 31
_LINES = 100
_GZIP = b"\x1f\x8b"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _mchid() -> str:
    return tools().gateway(_GATEWAY).mchid


def _day(text: str) -> date:
    """Read a day of an address.

    Raises:
        NotFound: it is none.
    """
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise NotFound


@bp.get("/reconciliation")
@staff_may(Permission.SEE_BOOKS)
def reconciliation() -> str:
    """List the days, newest first, with their sums."""
    text = request.args.get("before")
    try:
        before = _day(text) if text else None
    except NotFound:
        raise Invalid from None
    days = queries.days(_GATEWAY, _mchid(), before, _DAYS + 1)
    return render_template(
        "admin/reconciliation/list.html",
        days=days[:_DAYS],
        next_before=days[_DAYS - 1].day if len(days) > _DAYS else None,
        is_first=before is None,
        states=STATES,
        yesterday=beijing.day_of(clock.now()) - ONE_DAY,
    )


@bp.get("/reconciliation/<day>")
@staff_may(Permission.SEE_BOOKS)
def reconciliation_day(day: str) -> str:
    """Show what a day came to, and each difference."""
    run = queries.run_of_day(_GATEWAY, _mchid(), _day(day))
    differences = queries.differences(run.id)
    return render_template(
        "admin/reconciliation/day.html",
        run=run,
        facts=queries.day_facts(run.id),
        differences=differences,
        refunds=_refunds(differences),
        is_running=desk.is_running(run.id),
        adoptable=DifferenceKind.MISSING_HERE,
        states=STATES,
        kinds=DIFFERENCES,
        subjects=SUBJECTS,
    )


def _refunds(differences: Sequence[queries.ShownDifference]) -> dict[int, GivingBack]:
    """Return, by difference, the payments that the gateway has otherwise than we and that can go back."""
    payments = {
        found.id: found.payment_id
        for found in differences
        if found.payment_id is not None
        and found.resolved_at is None
        and found.subject == BillKind.PAYMENT
        and found.kind in (DifferenceKind.AMOUNT, DifferenceKind.STATE)
    }
    possible = possible_for(payments.values())
    return {number: possible[payment] for number, payment in payments.items() if payment in possible}


@bp.get("/reconciliation/<day>/lines")
@staff_may(Permission.SEE_BOOKS)
def reconciliation_lines(day: str) -> str:
    """List the lines of a day's bill, in their order in the file."""
    run = queries.run_of_day(_GATEWAY, _mchid(), _day(day))
    after = request.args.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 10):
        raise Invalid
    lines = queries.lines(run.id, int(after), _LINES + 1)
    return render_template(
        "admin/reconciliation/lines.html",
        run=run,
        lines=lines[:_LINES],
        next_after=lines[_LINES - 1].number if len(lines) > _LINES else None,
        is_first=after == "0",
        subjects=SUBJECTS,
    )


@bp.get("/reconciliation/<day>/file")
@staff_may(Permission.SEE_BOOKS)
@step_up
def reconciliation_file(day: str) -> Response:
    """Send the bill as it came; who took it is in the audit."""
    run = queries.run_of_day(_GATEWAY, _mchid(), _day(day))
    parts = desk.take_file(run.id, actor())
    name = f"bill-{_GATEWAY}-{run.bill_date}.{'csv.gz' if parts[0].startswith(_GZIP) else 'csv'}"
    response = Response(parts, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@bp.post("/reconciliation")
@staff_may(Permission.RECONCILE)
def reconcile_day() -> ResponseReturnValue:
    """Have the worker reconcile a day, again or for the first time."""
    text = request.form.get("day", "").strip()
    try:
        day = _day(text)
    except NotFound:
        flash(_("Write the day like 2026-11-19."), "error")
        return redirect(url_for(".reconciliation"), 303)
    today = beijing.day_of(clock.now())
    if not today - DAYS_KEPT * ONE_DAY <= day < today:
        flash(_("The gateway gives bills of days that are over, for 90 days."), "error")
        return redirect(url_for(".reconciliation"), 303)
    desk.ask_to_reconcile(_GATEWAY, _mchid(), day, actor())
    flash(_("The worker reconciles this day now."), "success")
    return redirect(url_for(".reconciliation_day", day=day), 303)


@bp.post("/reconciliation/<day>/differences/<int:difference_id>/adopt")
@staff_may(Permission.RECONCILE)
@step_up
def adopt_difference(day: str, difference_id: int) -> ResponseReturnValue:
    """Ask the gateway about what we lack, and settle what it says."""
    run = queries.run_of_day(_GATEWAY, _mchid(), _day(day))
    try:
        is_gone = desk.adopt(run.id, difference_id, tools(), actor())
    except GatewayError:
        flash(_("No answer that can be believed. Nothing changed; try again."), "error")
    except desk.NotAdoptable:
        flash(_("There is nothing to adopt: no order of ours has this number."), "error")
    else:
        if is_gone:
            flash(_("Adopted: the books agree about it now."), "success")
        else:
            flash(_("The gateway confirms it, and it cannot be applied. The case says why."), "warning")
    return redirect(url_for(".reconciliation_day", day=day), 303)
