"""`/admin/refunds/new`: ask for a refund of an order: choose, look at what would happen, ask."""

from typing import Any

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms.fields.choices import SelectChoice

from portal.approvals.services import OwnRequest
from portal.kit import money
from portal.kit.errors import TooMany
from portal.kit.wording import price_text
from portal.orders.models import Order
from portal.refunds import queries
from portal.refunds.models import LicenseEffect
from portal.refunds.queries import Refundable
from portal.refunds.request import (
    BadReason,
    NotRefundable,
    TooManyParts,
    TooMuch,
    TooOld,
    Wish,
    request_by_staff,
)
from portal.staff.permissions import Permission, Scope
from portal.switchboard.hold import OnHold
from portal.web.admin.addresses import known_id
from portal.web.admin.decisions import flash_on_hold, own_request_text
from portal.web.admin.door import bp
from portal.web.admin.refund_forms import NewRefundForm
from portal.web.limits import limiter
from portal.web.staff import required_staff, scope, staff_key, staff_may, step_up
from portal.web.tools import tools


def _order() -> tuple[Order, list[Refundable]]:
    order = queries.order_with(known_id(request.args.get("order", "")))
    return order, queries.refundables_of(order.id)


def _form(refundables: list[Refundable], **options: Any) -> NewRefundForm:
    form = NewRefundForm(**options)
    form.out_trade_no.choices = [
        SelectChoice(one.payment.out_trade_no) for one in refundables if one.is_possible
    ]
    return form


def _new_page(
    order: Order, refundables: list[Refundable], form: NewRefundForm, status: int = 200
) -> ResponseReturnValue:
    page = render_template("admin/refunds/new.html", order=order, refundables=refundables, form=form)
    return make_response(page, status)


@bp.get("/refunds/new")
@staff_may(Permission.REQUEST_REFUNDS)
def new_refund() -> ResponseReturnValue:
    """Show what of an order can go back, and its limits; the payment asked for, else the first, is chosen.

    Without an order there is a page that asks for one.
    """
    if "order" not in request.args:
        return redirect(url_for(".refunds"), 303)
    order, refundables = _order()
    possible = [one for one in refundables if one.is_possible]
    wanted = [one for one in possible if one.payment.out_trade_no == request.args.get("payment")]
    first = next(iter([*wanted, *possible]), None)
    facts = {}
    if first is not None:
        facts = {"out_trade_no": first.payment.out_trade_no, "amount": money.yuan(first.remaining_fen)}
    return _new_page(order, refundables, _form(refundables, formdata=None, **facts))


def _answers(refundables: list[Refundable], form: NewRefundForm) -> tuple[Refundable, int] | None:
    """Return the payment and the amount in fen; None when a field is wrong, which then says so."""
    if not form.validate():
        return None
    chosen = next(one for one in refundables if one.payment.out_trade_no == form.out_trade_no.data)
    amount_fen = money.fen(str(form.amount.data))
    if not 0 < amount_fen <= chosen.remaining_fen:
        most = price_text(chosen.remaining_fen)
        form.amount.errors = [_("At most %(amount)s can go back.", amount=most)]
        return None
    limit = tools().settings.APPROVAL_SINGLE_FEN
    if scope(Permission.REQUEST_REFUNDS) is Scope.SMALL and amount_fen > limit:
        form.amount.errors = [_("You may give back at most %(amount)s at once.", amount=price_text(limit))]
        return None
    return chosen, amount_fen


@bp.post("/refunds/check")
@staff_may(Permission.REQUEST_REFUNDS)
def check_refund() -> ResponseReturnValue:
    """Show what is about to go back, and what becomes of the license, before it does."""
    order, refundables = _order()
    form = _form(refundables)
    answers = _answers(refundables, form)
    if answers is None:
        return _new_page(order, refundables, form, 422)
    chosen, amount_fen = answers
    effect = chosen.effect_of(amount_fen, LicenseEffect(form.effect.data))
    page = render_template(
        "admin/refunds/check.html",
        order=order,
        chosen=chosen,
        amount_fen=amount_fen,
        effect=effect.value,
        form=form,
        alone_fen=tools().settings.APPROVAL_SINGLE_FEN,
    )
    return make_response(page)


@bp.post("/refunds")
@staff_may(Permission.REQUEST_REFUNDS)
@limiter.limit("10 per minute", key_func=staff_key)
@step_up
def ask_refund() -> ResponseReturnValue:
    """Put a refund on record; the same form sent twice is one refund."""
    order, refundables = _order()
    form = _form(refundables)
    earlier = queries.number_of_form(str(form.form_token.data or ""), f"staff:{required_staff().public_id}")
    if earlier is not None:
        return redirect(url_for(".refund", out_refund_no=earlier), 303)
    answers = _answers(refundables, form)
    if answers is None:
        return _new_page(order, refundables, form, 422)
    chosen, amount_fen = answers
    wish = Wish(str(form.reason.data), str(form.form_token.data), amount_fen, LicenseEffect(form.effect.data))
    try:
        made = request_by_staff(required_staff(), chosen.payment.out_trade_no, wish, tools())
    except TooMuch as error:
        most = price_text(int(str(error.facts["remaining_fen"])))
        form.amount.errors = [_("At most %(amount)s can go back.", amount=most)]
        return _new_page(order, refundables, form, 422)
    except BadReason:
        form.reason.errors = [_("Write one line, without special characters.")]
        return _new_page(order, refundables, form, 422)
    except TooMany as error:
        flash(
            _("WeChat Pay wants a minute between two parts. Try again in %(s)s s.", s=error.retry_after),
            "error",
        )
        return _new_page(order, queries.refundables_of(order.id), form, 429)
    except OwnRequest as error:
        form.out_trade_no.errors = [own_request_text()]
        return _new_page(order, refundables, form, error.status)
    except OnHold:
        flash_on_hold()
        return _new_page(order, refundables, form, 503)
    except (NotRefundable, TooOld, TooManyParts):
        flash(_("This payment cannot be given back (any more)."), "error")
        return _new_page(order, queries.refundables_of(order.id), form, 409)
    return redirect(url_for(".refund", out_refund_no=made.out_refund_no), 303)
