"""`/admin/refunds`: ask for refunds, decide about those that others ask for, and mend what did not arrive."""

import re
from typing import Any

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms.fields.choices import SelectChoice

from portal.approvals.services import ChangedSinceAsked, OwnRequest
from portal.kit import money
from portal.kit.errors import Conflict, Invalid, NotFound, TooMany
from portal.kit.wording import price_text
from portal.orders.models import Order
from portal.payments.attempts import TRANSFER
from portal.refunds import call, decide, queries
from portal.refunds.by_hand import NotByHand, NumberUsed, record_returned
from portal.refunds.decide import AlreadyDecided
from portal.refunds.models import LicenseEffect, RefundStatus
from portal.refunds.queries import Refundable
from portal.refunds.request import (
    BadReason,
    NotRefundable,
    TooManyParts,
    TooMuch,
    TooOld,
    Wish,
    digest_of,
    request_by_staff,
)
from portal.staff.permissions import Permission, Scope
from portal.web.admin.addresses import known_id
from portal.web.admin.confirmation_forms import ReturnedForm
from portal.web.admin.door import bp
from portal.web.admin.order_words import proof_words
from portal.web.admin.refund_forms import NewRefundForm, NoteForm
from portal.web.limits import limiter
from portal.web.staff import Forbidden, required_staff, scope, staff_may, step_up
from portal.web.tools import tools

_PAGE = 50
_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{6,64}", re.ASCII)


def _person() -> str:
    return f"account:{required_staff().id}"


def _known(out_refund_no: str) -> str:
    if not _NUMBER.fullmatch(out_refund_no):
        raise NotFound
    return out_refund_no


@bp.get("/refunds")
@staff_may(Permission.REQUEST_REFUNDS)
def refunds() -> str:
    """List refunds, newest first; those that wait for a decision by a filter."""
    status, before = request.args.get("status") or None, request.args.get("before")
    if status is not None and status not in set(RefundStatus):
        raise Invalid("status")
    if before is not None and not (before.isascii() and before.isdigit() and len(before) < 19):
        raise Invalid("before")
    rows = queries.refund_rows(
        RefundStatus(status) if status else None, int(before) if before else None, _PAGE + 1
    )
    return render_template(
        "admin/refunds/list.html",
        rows=rows[:_PAGE],
        older=rows[_PAGE - 1].Refund.id if len(rows) > _PAGE else None,
        is_first=before is None,
        status=status,
        statuses=list(RefundStatus),
    )


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
@limiter.limit("10 per minute", key_func=_person)
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
    except (NotRefundable, TooOld, TooManyParts):
        flash(_("This payment cannot be given back (any more)."), "error")
        return _new_page(order, queries.refundables_of(order.id), form, 409)
    return redirect(url_for(".refund", out_refund_no=made.out_refund_no), 303)


def _page(
    out_refund_no: str,
    status: int = 200,
    form: NoteForm | None = None,
    returned: ReturnedForm | None = None,
) -> ResponseReturnValue:
    row = queries.refund_row(_known(out_refund_no))
    refund = row.Refund
    page = render_template(
        "admin/refunds/show.html",
        row=row,
        refund=refund,
        order=row.Order,
        payment=row.Payment,
        proofs=proof_words(),
        names=queries.names_of(refund.requested_by, refund.endorsed_by, refund.approved_by),
        digest=digest_of(refund),
        is_own=f":{required_staff().public_id}" in (refund.requested_by + (refund.endorsed_by or "")),
        is_part=refund.amount_fen < row.Payment.amount_fen,
        by_hand=refund.gateway == TRANSFER,
        note_form=form or NoteForm(formdata=None),
        returned=returned or ReturnedForm(formdata=None),
        form=form or returned,
    )
    return make_response(page, status)


@bp.get("/refunds/<out_refund_no>")
@staff_may(Permission.REQUEST_REFUNDS)
def refund(out_refund_no: str) -> ResponseReturnValue:
    """Show a refund: what, of which order, why, who decided, what WeChat Pay says, and the next step."""
    return _page(out_refund_no)


def _to(out_refund_no: str) -> ResponseReturnValue:
    return redirect(url_for(".refund", out_refund_no=out_refund_no), 303)


def _decided(out_refund_no: str) -> ResponseReturnValue:
    flash(_("This was decided meanwhile."), "warning")
    return _page(out_refund_no, 409)


def _changed(out_refund_no: str) -> ResponseReturnValue:
    flash(_("This is not what you were shown. Look again before you decide."), "error")
    return _page(out_refund_no, 409)


@bp.post("/refunds/<out_refund_no>/approve")
@staff_may(Permission.APPROVE)
@limiter.limit("10 per minute", key_func=_person)
@step_up
def approve_refund(out_refund_no: str) -> ResponseReturnValue:
    """Approve what another asked for, exactly as it was shown."""
    try:
        shown = request.form.get("digest", "")[:64]
        made = decide.approve(required_staff(), _known(out_refund_no), shown, tools())
    except OwnRequest:
        flash(_("Another person has to approve this: you asked for it."), "error")
        return _page(out_refund_no, 403)
    except ChangedSinceAsked:
        return _changed(out_refund_no)
    except AlreadyDecided:
        return _decided(out_refund_no)
    if made.status == RefundStatus.REQUESTED:
        flash(
            _("You agreed. It is more than one person may decide: another one has to agree as well."),
            "success",
        )
    elif made.gateway == TRANSFER:
        flash(_("Approved. Now somebody has to give the money back by hand, and record it here."), "success")
    else:
        flash(_("Approved. WeChat Pay is asked within seconds."), "success")
    return _to(out_refund_no)


@bp.post("/refunds/<out_refund_no>/refuse")
@staff_may(Permission.REQUEST_REFUNDS)
def refuse_refund(out_refund_no: str) -> ResponseReturnValue:
    """Refuse what another asked for, or take back one's own."""
    row = queries.refund_row(_known(out_refund_no))
    person = required_staff()
    is_own = row.Refund.requested_by == f"staff:{person.public_id}"
    if not is_own and scope(Permission.REQUEST_REFUNDS) is not Scope.ALL:
        raise Forbidden
    form = NoteForm()
    if not form.validate():
        return _page(out_refund_no, 422, form)
    try:
        decide.refuse(person, out_refund_no, str(form.note.data))
    except BadReason:
        form.note.errors = [_("Write one line, without special characters.")]
        return _page(out_refund_no, 422, form)
    except AlreadyDecided:
        return _decided(out_refund_no)
    flash(_("Refused. What was held for it is free again."), "success")
    return _to(out_refund_no)


@bp.post("/refunds/<out_refund_no>/license")
@staff_may(Permission.APPROVE)
@step_up
def change_refund(out_refund_no: str) -> ResponseReturnValue:
    """Decide what becomes of the license when a part goes back."""
    effect = request.form.get("effect", "")
    if effect not in set(LicenseEffect):
        raise Invalid("effect")
    try:
        shown = request.form.get("digest", "")[:64]
        decide.change_effect(required_staff(), _known(out_refund_no), LicenseEffect(effect), shown)
    except ChangedSinceAsked:
        return _changed(out_refund_no)
    except AlreadyDecided:
        return _decided(out_refund_no)
    flash(_("Changed."), "success")
    return _to(out_refund_no)


@bp.post("/refunds/<out_refund_no>/ask")
@staff_may(Permission.QUERY_PAYMENTS)
@limiter.limit("10 per minute", key_func=_person)
def ask_about_refund(out_refund_no: str) -> ResponseReturnValue:
    """Ask WeChat Pay now."""
    if call.ask_now(queries.refund_row(_known(out_refund_no)).Refund.out_refund_no, tools()) is None:
        flash(_("WeChat Pay gives no answer at the moment. It is asked again by itself."), "warning")
    else:
        flash(_("WeChat Pay was asked; this is its answer."), "success")
    return _to(out_refund_no)


@bp.post("/refunds/<out_refund_no>/send-again")
@staff_may(Permission.APPROVE)
@step_up
def send_refund_again(out_refund_no: str) -> ResponseReturnValue:
    """Send a refund that WeChat Pay did not take again, under the same number."""
    try:
        call.send_again(required_staff(), _known(out_refund_no))
    except Conflict:
        return _decided(out_refund_no)
    flash(_("It is sent again within seconds, under the same number."), "success")
    return _to(out_refund_no)


@bp.post("/refunds/<out_refund_no>/returned")
@staff_may(Permission.APPROVE)
@limiter.limit("10 per minute", key_func=_person)
@step_up
def record_refund_returned(out_refund_no: str) -> ResponseReturnValue:
    """Record that somebody gave a transfer back by hand."""
    form = ReturnedForm()
    if not form.validate():
        return _page(out_refund_no, 422, returned=form)
    try:
        record_returned(required_staff(), _known(out_refund_no), str(form.number.data), tools())
    except NumberUsed:
        form.number.errors = [_("This number stands for another transfer already.")]
        return _page(out_refund_no, 409, returned=form)
    except NotByHand:
        return _decided(out_refund_no)
    flash(_("Recorded. The money is booked as given back."), "success")
    return _to(out_refund_no)


@bp.post("/refunds/<out_refund_no>/give-up")
@staff_may(Permission.APPROVE)
@step_up
def give_up_refund(out_refund_no: str) -> ResponseReturnValue:
    """Give up a refund that will not happen; what it held can be given back under a new number."""
    form = NoteForm()
    if not form.validate():
        return _page(out_refund_no, 422, form)
    try:
        call.give_up(required_staff(), _known(out_refund_no), str(form.note.data), tools())
    except BadReason:
        form.note.errors = [_("Write one line, without special characters.")]
        return _page(out_refund_no, 422, form)
    except call.NotToBeGivenUp:
        flash(_("WeChat Pay has this refund, or gives no answer: it cannot be given up."), "error")
        return _page(out_refund_no, 409)
    flash(_("Given up. What was held for it is free again."), "success")
    return _to(out_refund_no)
