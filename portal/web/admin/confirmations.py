"""`/admin/confirmations`: transfers that learners say they made: look, confirm with evidence, agree, refuse."""

import re
from collections.abc import Collection
from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.approvals.services import ChangedSinceAsked, OwnRequest
from portal.kit import money
from portal.kit.errors import Invalid, NotFound
from portal.payments.models import TransferStatus
from portal.pictures.services import picture_of
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission
from portal.transfers import confirm, queries
from portal.transfers.confirm import NoPicture, NumberUsed, Received
from portal.transfers.queries import ToDo
from portal.transfers.tell import AlreadyDecided
from portal.web.admin import asked
from portal.web.admin.confirmation_forms import ReceivedForm, WhyForm
from portal.web.admin.decisions import not_decided
from portal.web.admin.door import bp
from portal.web.limits import limiter
from portal.web.staff import required_staff, staff_key, staff_may, step_up
from portal.web.tools import tools
from portal.web.uploads import picture_response, takes_picture

_PAGE = 50
_REFERENCE = re.compile(r"[0-9A-Z]{8}", re.ASCII)


def _visible() -> Collection[str] | None:
    return courses_within(required_staff(), Permission.CONFIRM_PAYMENTS)


def _known(reference: str) -> str:
    if not _REFERENCE.fullmatch(reference):
        raise NotFound
    return reference


def _typed(text: str | None) -> str | None:
    """Read a reference as people write it: any case, with hyphens or blanks."""
    if text is None:
        return None
    reference = re.sub(r"[\s-]", "", text).upper()
    if not _REFERENCE.fullmatch(reference):
        raise Invalid("reference")
    return reference


@bp.get("/confirmations")
@staff_may(Permission.CONFIRM_PAYMENTS)
def confirmations() -> str:
    """List transfers, newest first: those that wait for somebody, unless asked for others."""
    given = asked.asked(("status", "reference", "before"))
    before = asked.before(given)
    reference = _typed(given.get("reference"))
    which = asked.one_of(given, "status", ToDo)
    if which is None and reference is None and "status" not in request.args:
        which = ToDo.OPEN
    rows = queries.transfer_rows(which, reference, before, _PAGE + 1, _visible())
    return render_template(
        "admin/confirmations/list.html",
        rows=rows[:_PAGE],
        older=rows[_PAGE - 1].Transfer.id if len(rows) > _PAGE else None,
        is_first=before is None,
        status=which,
        reference=given.get("reference", ""),
        choices=list(ToDo),
    )


def _page(
    reference: str,
    status: int = 200,
    received: ReceivedForm | None = None,
    why: WhyForm | None = None,
) -> ResponseReturnValue:
    row = queries.transfer_row(reference, _visible())
    transfer, person = row.Transfer, required_staff()
    amount = money.yuan(row.Order.amount_fen)
    page = render_template(
        "admin/confirmations/show.html",
        row=row,
        transfer=transfer,
        order=row.Order,
        payment=row.Payment,
        digest=confirm.digest(transfer) if transfer.status == TransferStatus.CHECKED else "",
        is_own=transfer.checked_by == person.id,
        is_buyer=row.Order.learner_id == person.id,
        bought_nothing=transfer.status == TransferStatus.CONFIRMED and not row.Order.was_paid,
        alone_fen=tools().settings.APPROVAL_SINGLE_FEN,
        received=received or ReceivedForm(formdata=None, amount=amount),
        why=why or WhyForm(formdata=None),
        form=received or why,
    )
    return make_response(page, status)


@bp.get("/confirmations/<reference>")
@staff_may(Permission.CONFIRM_PAYMENTS)
def confirmation(reference: str) -> ResponseReturnValue:
    """Show a transfer: what the learner says, what staff saw, and the next step."""
    return _page(_known(reference))


@bp.get("/confirmations/<reference>/pictures/<whose>")
@staff_may(Permission.CONFIRM_PAYMENTS)
def confirmation_picture(reference: str, whose: str) -> Response:
    """Show the picture that the learner sent, or that staff added."""
    transfer = queries.transfer_row(_known(reference), _visible()).Transfer
    pictures = {"told": transfer.told_picture_id, "checked": transfer.picture_id}
    return picture_response(picture_of(pictures.get(whose)))


def _to(reference: str) -> ResponseReturnValue:
    return redirect(url_for(".confirmation", reference=reference), 303)


def _tell_outcome(status: TransferStatus) -> None:
    """Say what came of it."""
    if status is TransferStatus.CONFIRMED:
        flash(_("Confirmed. The learner gets what was paid for."), "success")
    elif status is TransferStatus.CHECKED:
        flash(_("Entered. It is more than one person may confirm: another one has to agree."), "success")
    else:
        flash(_("Another amount came than the price: nothing is delivered, and a case is open."), "warning")


@bp.post("/confirmations/<reference>/check")
@staff_may(Permission.CONFIRM_PAYMENTS)
@limiter.limit("10 per minute", key_func=staff_key)
@step_up
@takes_picture
def check_confirmation(reference: str) -> ResponseReturnValue:
    """Enter what came; the whole price confirms it, where one person is enough."""
    queries.transfer_row(_known(reference), _visible())
    form = ReceivedForm()
    if not form.validate():
        return _page(reference, 422, form)
    amount_fen = money.fen(str(form.amount.data))
    if amount_fen == 0:
        form.amount.errors = [_("Enter an amount.")]
        return _page(reference, 422, form)
    received = Received(amount_fen, str(form.number.data), form.picture.stripped)
    try:
        status = confirm.check_transfer(required_staff(), reference, received, _visible(), tools())
    except NoPicture:
        form.picture.errors = [_("Choose a picture: the learner showed none.")]
        return _page(reference, 422, form)
    except NumberUsed as error:
        form.number.errors = [_("This number stands for %(what)s already.", what=error.facts["what"])]
        return _page(reference, 409, form)
    except (OwnRequest, AlreadyDecided) as error:
        own = _("This is your own purchase: another person has to confirm it.")
        return not_decided(error, _page, reference, own)
    _tell_outcome(status)
    return _to(reference)


@bp.post("/confirmations/<reference>/approve")
@staff_may(Permission.APPROVE)
@limiter.limit("10 per minute", key_func=staff_key)
@step_up
def approve_confirmation(reference: str) -> ResponseReturnValue:
    """Agree with what another entered, exactly as it was shown."""
    shown = request.form.get("digest", "")[:64]
    try:
        status = confirm.approve_transfer(required_staff(), _known(reference), shown, _visible(), tools())
    except (OwnRequest, ChangedSinceAsked, AlreadyDecided) as error:
        own = _("Another person has to agree: you entered it, or it is your own purchase.")
        return not_decided(error, _page, reference, own)
    _tell_outcome(status)
    return _to(reference)


@bp.post("/confirmations/<reference>/back")
@staff_may(Permission.CONFIRM_PAYMENTS)
def send_confirmation_back(reference: str) -> ResponseReturnValue:
    """Take back what was entered, one's own or another's; it is looked at anew."""
    return _with_reason(reference, confirm.send_back, _("Taken back. It is to be looked at anew."))


@bp.post("/confirmations/<reference>/refuse")
@staff_may(Permission.CONFIRM_PAYMENTS)
@step_up
def refuse_confirmation(reference: str) -> ResponseReturnValue:
    """Say that no such money came; the learner is told why."""
    return _with_reason(
        reference, confirm.refuse_transfer, _("Refused. The learner gets a mail with the reason.")
    )


def _with_reason(reference: str, act: Any, done: str) -> ResponseReturnValue:
    queries.transfer_row(_known(reference), _visible())
    form = WhyForm()
    if not form.validate():
        return _page(reference, 422, why=form)
    try:
        act(required_staff(), reference, str(form.reason.data), _visible())
    except AlreadyDecided as error:
        return not_decided(error, _page, reference)
    flash(done, "success")
    return _to(reference)
