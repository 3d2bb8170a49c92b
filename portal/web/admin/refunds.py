"""`/admin/refunds`: decide about refunds that others ask for, and mend what did not arrive."""

import re

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.approvals.services import ChangedSinceAsked, OwnRequest
from portal.kit.errors import Conflict, Invalid, NotFound
from portal.payments.attempts import TRANSFER
from portal.refunds import call, decide, queries
from portal.refunds.by_hand import NotByHand, NumberUsed, record_returned
from portal.refunds.decide import AlreadyDecided
from portal.refunds.models import LicenseEffect, Refund, RefundStatus
from portal.refunds.request import BadReason, digest_of
from portal.staff.permissions import Permission, Scope
from portal.switchboard.hold import OnHold
from portal.web.admin import asked
from portal.web.admin.confirmation_forms import ReturnedForm
from portal.web.admin.decisions import not_decided
from portal.web.admin.door import bp
from portal.web.admin.order_words import proof_words
from portal.web.admin.refund_forms import NoteForm
from portal.web.limits import limiter
from portal.web.staff import Forbidden, required_staff, scope, staff_key, staff_may, step_up
from portal.web.tools import tools

_PAGE = 50
_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{6,64}", re.ASCII)


def _known(out_refund_no: str) -> str:
    if not _NUMBER.fullmatch(out_refund_no):
        raise NotFound
    return out_refund_no


@bp.get("/refunds")
@staff_may(Permission.REQUEST_REFUNDS)
def refunds() -> str:
    """List refunds, newest first; those that wait for a decision by a filter."""
    given = asked.asked(("status", "before"))
    status, before = asked.one_of(given, "status", RefundStatus), asked.before(given)
    rows = queries.refund_rows(status, before, _PAGE + 1)
    return render_template(
        "admin/refunds/list.html",
        rows=rows[:_PAGE],
        older=rows[_PAGE - 1].Refund.id if len(rows) > _PAGE else None,
        is_first=before is None,
        status=status,
        statuses=list(RefundStatus),
    )


def _page(
    out_refund_no: str,
    status: int = 200,
    form: NoteForm | None = None,
    returned: ReturnedForm | None = None,
) -> ResponseReturnValue:
    row, person = queries.refund_row(_known(out_refund_no)), required_staff()
    refund = row.Refund
    is_own = f":{person.public_id}" in (refund.requested_by + (refund.endorsed_by or ""))
    page = render_template(
        "admin/refunds/show.html",
        row=row,
        refund=refund,
        order=row.Order,
        payment=row.Payment,
        proofs=proof_words(),
        names=queries.names_of(refund.requested_by, refund.endorsed_by, refund.approved_by),
        digest=digest_of(refund),
        needs_another=(is_own or row.Order.learner_id == person.id)
        and not tools().settings.APPROVAL_ONE_PERSON_SHOP,
        may_refuse=_may_refuse(refund),
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


def _may_refuse(refund: Refund) -> bool:
    """Tell whether whoever is asking may refuse it: what is another's is for those who may ask for any."""
    is_own = refund.requested_by == f"staff:{required_staff().public_id}"
    return is_own or scope(Permission.REQUEST_REFUNDS) is Scope.ALL


def _to(out_refund_no: str) -> ResponseReturnValue:
    return redirect(url_for(".refund", out_refund_no=out_refund_no), 303)


@bp.post("/refunds/<out_refund_no>/approve")
@staff_may(Permission.APPROVE)
@limiter.limit("10 per minute", key_func=staff_key)
@step_up
def approve_refund(out_refund_no: str) -> ResponseReturnValue:
    """Approve what another asked for, exactly as it was shown."""
    try:
        shown = request.form.get("digest", "")[:64]
        made = decide.approve(required_staff(), _known(out_refund_no), shown, tools())
    except (OwnRequest, ChangedSinceAsked, AlreadyDecided, OnHold) as error:
        return not_decided(error, _page, out_refund_no)
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
    row, person = queries.refund_row(_known(out_refund_no)), required_staff()
    if not _may_refuse(row.Refund):
        raise Forbidden
    form = NoteForm()
    if not form.validate():
        return _page(out_refund_no, 422, form)
    try:
        decide.refuse(person, out_refund_no, str(form.note.data))
    except BadReason:
        form.note.errors = [_("Write one line, without special characters.")]
        return _page(out_refund_no, 422, form)
    except AlreadyDecided as error:
        return not_decided(error, _page, out_refund_no)
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
    except (ChangedSinceAsked, AlreadyDecided) as error:
        return not_decided(error, _page, out_refund_no)
    flash(_("Changed."), "success")
    return _to(out_refund_no)


@bp.post("/refunds/<out_refund_no>/ask")
@staff_may(Permission.QUERY_PAYMENTS)
@limiter.limit("10 per minute", key_func=staff_key)
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
    except Conflict as error:
        return not_decided(error, _page, out_refund_no)
    flash(_("It is sent again within seconds, under the same number."), "success")
    return _to(out_refund_no)


@bp.post("/refunds/<out_refund_no>/returned")
@staff_may(Permission.APPROVE)
@limiter.limit("10 per minute", key_func=staff_key)
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
    except NotByHand as error:
        return not_decided(error, _page, out_refund_no)
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
