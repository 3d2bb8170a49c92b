"""Ask for one's money back, and take the request back."""

import re

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kit import ids
from portal.kit.errors import NotFound, TooMany
from portal.payments.history import OrderHistory, order_of
from portal.refunds import decide, request
from portal.refunds.decide import AlreadyDecided
from portal.refunds.queries import Refundable, may_learner_ask, refundables_of
from portal.refunds.request import BadReason, NotRefundable, TooManyParts, TooOld, Wish
from portal.switchboard.hold import OnHold
from portal.web.account.forms import RefundForm
from portal.web.account.views import bp
from portal.web.auth import login_required, required_learner, required_reader
from portal.web.limits import limiter
from portal.web.tools import tools

_ORDER_ID = re.compile(r"[0-9a-z]{20}", re.ASCII)
_REFUND_NO = re.compile(r"[0-9A-Za-z]{6,64}", re.ASCII)


def _account() -> str:
    return f"account:{required_reader().id}"


def _to_order(order_id: str) -> ResponseReturnValue:
    return redirect(url_for(".order", order_id=order_id, _anchor="refunds"), 303)


def _page(
    history: OrderHistory, refundable: Refundable, form: RefundForm, status: int = 200
) -> ResponseReturnValue:
    page = render_template("account/refund.html", history=history, refundable=refundable, form=form)
    return page, status


def _history(order_id: str) -> OrderHistory:
    if not _ORDER_ID.fullmatch(order_id):
        raise NotFound
    return order_of(required_learner(), order_id)


@bp.get("/orders/<order_id>/refund")
@login_required
def refund(order_id: str) -> ResponseReturnValue:
    """Say what goes back and what happens then, and ask why."""
    history = _history(order_id)
    refundable = _refundable(history)
    if refundable is None:
        return _not_any_more(order_id)
    return _page(history, refundable, RefundForm(formdata=None, key=ids.new_uuid()))


@bp.post("/orders/<order_id>/refund")
@login_required
@limiter.limit("10 per minute", key_func=_account)
def ask_refund(order_id: str) -> ResponseReturnValue:
    """Put the request on record; the same form sent twice is one request."""
    history, form, status = _history(order_id), RefundForm(), 422
    if form.validate():
        wish = Wish(form.reason, str(form.key.data))
        try:
            request.request_by_learner(required_learner(), order_id, wish, tools())
        except BadReason:
            form.text.errors = [_("Write one line of at most 150 characters, without special characters.")]
        except OnHold:
            flash(
                _(
                    "We are restoring our records and cannot take your request now. Please send it again later."
                ),
                "warning",
            )
            status = 503
        except (NotRefundable, TooOld, TooManyParts, TooMany):
            return _not_any_more(order_id)
        else:
            flash(_("We have your request. We look at it within three working days."), "success")
            return _to_order(order_id)
    refundable = _refundable(history)
    return _not_any_more(order_id) if refundable is None else _page(history, refundable, form, status)


def _refundable(history: OrderHistory) -> Refundable | None:
    found = refundables_of(history.order.id)
    return found[0] if may_learner_ask(history.order, found) else None


def _not_any_more(order_id: str) -> ResponseReturnValue:
    flash(_("There is nothing (more) to give back for this order."), "warning")
    return _to_order(order_id)


@bp.post("/orders/<order_id>/refunds/<out_refund_no>/withdraw")
@login_required
def withdraw_refund(order_id: str, out_refund_no: str) -> ResponseReturnValue:
    """Take one's request back, as long as nobody has decided about it."""
    _history(order_id)
    if not _REFUND_NO.fullmatch(out_refund_no):
        raise NotFound
    try:
        decide.withdraw(required_learner(), out_refund_no)
    except AlreadyDecided:
        flash(_("Your request has been decided meanwhile."), "warning")
    else:
        flash(_("Your request is withdrawn. Your license stays valid."), "success")
    return _to_order(order_id)
