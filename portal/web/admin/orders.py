"""`/admin/orders`: find orders, see all that is on record about one, and what can be done to it."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from flask import Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext

from portal.audit import services as audit
from portal.audit.models import AuditRow
from portal.catalogue.models import Course
from portal.catalogue.queries import all_courses
from portal.desk import acts, listing
from portal.desk.search import search
from portal.desk.story import Story, order_of, story_of
from portal.gateways.base import GatewayError
from portal.kit import csv_text
from portal.kit.db import db, transaction
from portal.kit.errors import NotFound
from portal.kit.money import yuan
from portal.learners.models import Learner
from portal.orders.models import Order, OrderStatus
from portal.payments.ask import NobodyToAsk
from portal.refunds.queries import refundables_of
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission, Scope, scope_of
from portal.staff.second_factor import staff_actor
from portal.web.admin import asked
from portal.web.admin.case_words import KINDS
from portal.web.admin.door import bp
from portal.web.admin.forms import ActForm, CommentForm
from portal.web.admin.order_words import events, payment_words
from portal.web.limits import limiter
from portal.web.staff import required_staff, staff_key, staff_may, step_up
from portal.web.tools import tools

_ID = re.compile(r"[0-9a-z]{20}", re.ASCII)
_FILTERS = ("status", "course", "from", "to", "learner")


def _visible() -> Collection[str] | None:
    return courses_within(required_staff(), Permission.FIND_ORDERS)


def _actor() -> str:
    return staff_actor(required_staff())


def _wanted(given: Mapping[str, str]) -> listing.Wanted:
    visible = _visible()
    wanted = listing.Wanted(
        status=asked.one_of(given, "status", OrderStatus),
        course_id=asked.course(given, visible),
        first=asked.day(given, "from"),
        last=asked.day(given, "to"),
        learner_id=_learner_id(given),
        courses=visible,
    )
    if wanted.learner_id is not None and (wanted.status or wanted.course_id):
        raise asked.BadFilter("learner")
    return wanted


def _learner_id(given: Mapping[str, str]) -> int | None:
    if "learner" not in given:
        return None
    found = None
    if _ID.fullmatch(given["learner"]):
        found = db.session.scalar(sa.select(Learner.id).where(Learner.public_id == given["learner"]))
    if found is None:
        raise asked.BadFilter("learner")
    return found


def _courses() -> list[Course]:
    visible = _visible()
    return [course for course in all_courses() if visible is None or course.id in visible]


@bp.get("/orders")
@staff_may(Permission.FIND_ORDERS)
def orders() -> str:
    """List orders, newest first."""
    given = dict(asked.asked((*_FILTERS, "cursor")))
    page = listing.orders_page(_wanted(given), given.pop("cursor", None))
    return render_template(
        "admin/orders/list.html",
        page=page,
        given=given,
        is_first="cursor" not in request.args,
        statuses=list(OrderStatus),
        courses=_courses(),
        most_rows=listing.EXPORT_ROWS,
    )


@bp.post("/orders/search")
@staff_may(Permission.FIND_ORDERS)
def search_orders() -> ResponseReturnValue:
    """Go to the order that a number belongs to, or to the orders of a person.

    Sent as a form, so that no address of a person stands in a URL, a history or a log.
    """
    found = search(request.form.get("q", ""), _visible())
    if found.learner is not None:
        return redirect(url_for(".orders", learner=found.learner), 303)
    if len(found.orders) == 1:
        return redirect(url_for(".order", order_id=found.orders[0]), 303)
    page = render_template("admin/orders/found.html", orders=found.orders, q=request.form.get("q", "")[:254])
    return page, 200 if found.orders else 404


@bp.get("/orders.csv")
@staff_may(Permission.EXPORT)
@step_up
@limiter.limit("5 per hour", key_func=staff_key)
def export_orders() -> Response:
    """Send a list as CSV, at most 100,000 orders; when there are more, the last line says so."""
    given = asked.asked(_FILTERS)
    wanted = _wanted(given)
    with transaction():
        audit.record("orders.exported", "orders", _actor(), filters=dict(given))
    header = [
        gettext("Order number"), gettext("Placed (Beijing time)"), gettext("Paid (Beijing time)"), gettext("Course"),
        gettext("Buyer"), gettext("Amount (fen)"), gettext("Amount (yuan)"), gettext("Currency"), gettext("State"),
        gettext("WeChat Pay transaction"),
    ]  # fmt: skip
    is_cut = gettext("Cut off here: the list has more than %(count)s orders.", count=listing.EXPORT_ROWS)
    rows = _rows(wanted, str(get_locale()), is_cut)
    body = stream_with_context(csv_text.csv_stream(header, rows))
    response = Response(body, content_type=csv_text.MEDIA_TYPE)
    response.headers["Content-Disposition"] = 'attachment; filename="orders.csv"'
    return response


def _rows(wanted: listing.Wanted, locale: str, is_cut: str) -> Iterator[list[csv_text.Cell]]:
    count = 0
    for line in listing.every_line(wanted):
        count += 1
        order = line.order
        yield [
            order.public_id, order.created_at, order.paid_at, order.title(locale), line.email, order.amount_fen,
            yuan(order.amount_fen), order.currency, order.status, line.transaction_id,
        ]  # fmt: skip
    if count == listing.EXPORT_ROWS and listing.is_longer_than_an_export(wanted):
        yield [is_cut]


def _order(order_id: str) -> Order:
    return order_of(_known_form(order_id), _visible())


def _known_form(order_id: str) -> str:
    if not _ID.fullmatch(order_id):
        raise NotFound
    return order_id


def _page(order_id: str, status: int = 200, **forms: Any) -> ResponseReturnValue:
    story: Story = story_of(_known_form(order_id), _visible())
    page = render_template(
        "admin/orders/show.html",
        story=story,
        payment_words=payment_words(),
        case_kinds=KINDS,
        refundables=refundables_of(story.order.id),
        events=events(story, _visible_acts(story)),
        form=next(iter(forms.values()), None),
        comment_form=forms.get("comment_form") or CommentForm(formdata=None, prefix="comment-"),
        close_form=forms.get("close_form") or ActForm(formdata=None, prefix="close-"),
        mail_form=forms.get("mail_form") or ActForm(formdata=None, prefix="mail-"),
    )
    return page, status


@bp.get("/orders/<order_id>")
@staff_may(Permission.FIND_ORDERS)
def order(order_id: str) -> ResponseReturnValue:
    """Show one order and everything that happened to it."""
    asked.asked(())
    return _page(order_id)


def _visible_acts(story: Story) -> list[AuditRow]:
    reach = scope_of(required_staff(), Permission.SEE_AUDIT)
    if reach is Scope.ALL:
        return list(story.acts)
    return [act for act in story.acts if reach is Scope.OWN_ACTS and act.actor == _actor()]


def _back(order_id: str) -> ResponseReturnValue:
    return redirect(url_for(".order", order_id=order_id), 303)


@bp.post("/orders/<order_id>/query")
@staff_may(Permission.QUERY_PAYMENTS)
@limiter.limit("30 per minute", key_func=staff_key)
def query_order(order_id: str) -> ResponseReturnValue:
    """Ask the gateway what became of an order, now."""
    found = _order(order_id)
    try:
        answer = acts.query_now(found, _actor(), tools())
    except GatewayError as error:
        flash(
            gettext(
                "WeChat Pay gave no answer that can be believed (%(why)s). Nothing changed.", why=error.reason
            ),
            "error",
        )
    except NobodyToAsk:
        flash(gettext("The order is paid by transfer: only people know of it."), "error")
    except NotFound:
        flash(gettext("WeChat Pay was never asked for this order."), "error")
    else:
        flash(gettext("WeChat Pay says: %(state)s. It is applied here.", state=answer.state.value), "success")
    return _back(order_id)


@bp.post("/orders/<order_id>/close")
@staff_may(Permission.QUERY_PAYMENTS)
def close_order(order_id: str) -> ResponseReturnValue:
    """Close an order that waits for its payment, at the gateway first."""
    found = _order(order_id)
    form = ActForm(prefix="close-")
    if not form.validate_on_submit():
        return _page(order_id, 422, close_form=form)
    is_over = acts.close_now(found, _actor(), form.reason.data, tools())
    if is_over:
        flash(gettext("The order has come to its end; see below how."), "success")
    else:
        flash(gettext("WeChat Pay has not confirmed yet. The worker goes on asking."), "warning")
    return _back(order_id)


@bp.post("/orders/<order_id>/mail")
@staff_may(Permission.RESEND_MAIL)
@limiter.limit("30 per hour", key_func=staff_key)
def mail_order(order_id: str) -> ResponseReturnValue:
    """Send the license of an order to its owner again."""
    story = story_of(_known_form(order_id), _visible())
    form = ActForm(prefix="mail-")
    if not form.validate_on_submit():
        return _page(order_id, 422, mail_form=form)
    acts.send_again(story.order, story.license, _actor(), form.reason.data)
    flash(gettext("The license is on its way to the buyer's e-mail address."), "success")
    return _back(order_id)


@bp.post("/orders/<order_id>/comment")
@staff_may(Permission.COMMENT)
def comment_order(order_id: str) -> ResponseReturnValue:
    """Leave a comment for other staff."""
    found = _order(order_id)
    form = CommentForm(prefix="comment-")
    if not form.validate_on_submit():
        return _page(order_id, 422, comment_form=form)
    acts.comment(found, form.reason.data, form.form_token.data, _actor())
    flash(gettext("Your comment is kept."), "success")
    return _back(order_id)
