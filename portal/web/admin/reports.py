"""`/admin/reports`: sales, the way from a course's page to its license, and how long licenses take."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from flask import Response, render_template
from flask_babel import get_locale, gettext

from portal.audit import services as audit
from portal.catalogue.queries import all_courses
from portal.kit import beijing, clock, csv_text
from portal.kit.db import transaction
from portal.kit.money import yuan
from portal.reports import queries
from portal.reports.queries import Grain, Sales, Wanted
from portal.reports.rates import Rates, rates_by_month
from portal.reports.recount import LATER, counted_until
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission
from portal.staff.second_factor import staff_actor
from portal.web.admin import asked, charts
from portal.web.admin.door import bp
from portal.web.limits import limiter
from portal.web.staff import required_staff, staff_key, staff_may, step_up

_OFFERED = ("from", "to", "by", "course")
_DAYS_SHOWN = 30


@bp.app_template_filter("share")
def share_text(share: float | None) -> str:
    """Write a share of one as per cent, a dash where there is nothing to share."""
    return "–" if share is None else f"{share:.1%}"


def _asked() -> tuple[Wanted, Grain, dict[str, str]]:
    given = asked.asked(_OFFERED)
    today = beijing.day_of(clock.now())
    last = asked.day(given, "to") or today
    first = asked.day(given, "from") or min(last, today) - timedelta(days=_DAYS_SHOWN - 1)
    visible = courses_within(required_staff(), Permission.SEE_SUMS)
    course_id = asked.course(given, visible)
    grain = asked.one_of(given, "by", Grain) or Grain.DAY
    kept = {"from": first.isoformat(), "to": last.isoformat(), "by": grain.value, "course": course_id or ""}
    return Wanted(first, last, [course_id] if course_id else visible), grain, kept


@bp.get("/reports")
@staff_may(Permission.SEE_SUMS)
def reports() -> str:
    """Show the report of a period; sums and counts only, no persons."""
    wanted, grain, given = _asked()
    by_time = queries.sales_by_time(wanted, grain)
    total = _total(by_time)
    rates = rates_by_month(wanted)
    funnel, times = queries.funnel(wanted), queries.delivery_times(wanted)
    steps = _steps(funnel)
    classes = [(_class_name(within), count, within) for within, count in times.classes.items()]
    return render_template(
        "admin/reports/show.html",
        given=given,
        grains=list(Grain),
        courses=_courses(),
        titles=_titles(),
        counted_until=counted_until(),
        by_time=by_time,
        by_product=queries.sales_by_product(wanted),
        total=total,
        rates=rates,
        total_rates=sum(rates.values(), Rates()),
        funnel=funnel,
        steps=steps,
        times=times,
        classes=classes,
        sales_chart=charts.over_time(
            [_step_name(day, grain) for day in by_time],
            [step.sold_fen for step in by_time.values()],
            [step.refunded_fen for step in by_time.values()],
            [step.net_fen for step in by_time.values()],
            unit=100,
        ),
        funnel_chart=charts.side_by_side(
            [name for name, _ in steps], [count for _, count in steps], ["sold"] * len(steps)
        ),
        times_chart=charts.side_by_side(
            [name for name, *_ in classes],
            [count for _, count, _ in classes],
            ["sold" if within <= queries.PROMISED_SECONDS else "refunded" for *_, within in classes],
        ),
        promised=queries.PROMISED_SECONDS,
    )


def _total(by_time: Mapping[date, Sales]) -> Sales:
    total = Sales()
    for step in by_time.values():
        total.add(step.sums)
    return total


def _steps(funnel: queries.Funnel) -> list[tuple[str, int]]:
    return [
        (gettext("Course page shown"), funnel.viewed),
        (gettext("Order placed"), funnel.placed),
        (gettext("Payment confirmed"), funnel.paid),
        (gettext("License delivered"), funnel.delivered),
    ]


def _class_name(within: int) -> str:
    if within == LATER:
        return gettext("later")
    if within < 60:
        return gettext("≤ %(count)s s", count=within)
    return gettext("≤ %(count)s min", count=within // 60)


def _step_name(day: date, grain: Grain) -> str:
    return f"{day:%Y-%m}" if grain is Grain.MONTH else f"{day:%m-%d}"


def _courses() -> list[Any]:
    visible = courses_within(required_staff(), Permission.SEE_SUMS)
    return [course for course in all_courses() if visible is None or course.id in visible]


def _titles() -> dict[str, str]:
    return {course.id: course.title(str(get_locale())) for course in all_courses()}


@bp.get("/reports.csv")
@staff_may(Permission.EXPORT)
@step_up
@limiter.limit("5 per hour", key_func=staff_key)
def export_report() -> Response:
    """Send the sales of a period as CSV, a line for each step of time."""
    wanted, grain, given = _asked()
    with transaction():
        audit.record("report.exported", "reports", staff_actor(required_staff()), filters=given)
    header = [
        gettext("From (Beijing)"), gettext("Gross (fen)"), gettext("Gross (yuan)"), gettext("Refunds (fen)"),
        gettext("Refunds (yuan)"), gettext("Net (fen)"), gettext("Net (yuan)"), gettext("Sales"),
        gettext("Number of refunds"), gettext("Unapplied (fen)"), gettext("Unapplied returned (fen)"),
    ]  # fmt: skip
    rows = list(_rows(queries.sales_by_time(wanted, grain)))
    response = Response(csv_text.csv_stream(header, rows), content_type=csv_text.MEDIA_TYPE)
    name = f"sales-{wanted.first}-{wanted.last}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _rows(by_time: Mapping[date, Sales]) -> Iterator[list[csv_text.Cell]]:
    for day, step in by_time.items():
        yield [
            day, step.sold_fen, yuan(step.sold_fen), step.refunded_fen, yuan(step.refunded_fen), step.net_fen,
            yuan(step.net_fen), step.sold_count, step.refund_count, step.unapplied_fen, step.returned_fen,
        ]  # fmt: skip
