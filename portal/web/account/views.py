"""See what one bought, and keep one's account in order."""

import io
import logging
import re

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.delivery.resend import resend_license as ask_for_mail
from portal.devices import tokens
from portal.devices.queries import editors_of
from portal.disputes.queries import disputes_of_order
from portal.kit.errors import Conflict, Invalid, NotFound
from portal.learners import sessions
from portal.licenses.models import LicenseStatus
from portal.payments.history import (
    LicenseLine,
    OrderHistory,
    license_line_of,
    licenses_page_of,
    order_of,
    orders_of,
    payable_orders_of,
)
from portal.payments.queries import mail_job_of
from portal.refunds.models import RefundStatus
from portal.refunds.queries import may_learner_ask, refundables_of, refunds_of_order
from portal.refunds.settle import REVOKED_BECAUSE
from portal.web.account.wording import browser_name, license_state, mail_text, timeline
from portal.web.auth import login_required, required_learner, required_reader, sign_out
from portal.web.limits import limiter

log = logging.getLogger(__name__)

bp = Blueprint("account", __name__, url_prefix="/account")
bp.add_app_template_filter(license_state)
bp.add_app_template_filter(browser_name)

# Checked before the database is asked, which may not compare other letters with its identifiers.
_ID = re.compile(r"[0-9a-z-]{1,36}", re.ASCII)
_PAGE = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_LICENSES_ON_OVERVIEW = 3


def _account() -> str:
    return f"account:{required_reader().id}"


def _known_form(public_id: str) -> str:
    if not _ID.fullmatch(public_id):
        raise NotFound
    return public_id


def _page_number() -> int:
    text = request.args.get("page", "1")
    if not _PAGE.fullmatch(text):
        raise Invalid("page")
    return int(text)


@bp.get("")
@login_required
def overview() -> str:
    """What matters now: licenses, an order that waits for its payment, the last order."""
    learner = required_learner()
    return render_template(
        "account/overview.html",
        licenses=licenses_page_of(learner).lines[:_LICENSES_ON_OVERVIEW],
        payable=payable_orders_of(learner),
        last=next(iter(orders_of(learner).lines), None),
    )


@bp.get("/orders")
@login_required
def orders() -> str:
    """List the orders, newest first."""
    return render_template("account/orders.html", page=orders_of(required_reader(), _page_number()))


def _order(order_id: str) -> OrderHistory:
    return order_of(required_learner(), _known_form(order_id))


@bp.get("/orders/<order_id>")
@login_required
def order(order_id: str) -> str:
    """Show one order: what it is, what happened, and the numbers to quote to support."""
    history = _order(order_id)
    refunds = refunds_of_order(history.order.id)
    disputes = disputes_of_order(history.order.id)
    return render_template(
        "account/order.html",
        history=history,
        refunds=refunds,
        may_ask=may_learner_ask(history.order, refundables_of(history.order.id)),
        is_disputed=any(dispute.is_open for dispute in disputes),
        timeline=timeline(history, refunds, disputes),
    )


@bp.get("/orders/<order_id>/receipt")
@login_required
def receipt(order_id: str) -> str:
    """A proof of payment to print; there is one when there is a payment."""
    history = _order(order_id)
    if not history.order.was_paid or history.paid is None:
        raise NotFound
    done = [refund for refund in refunds_of_order(history.order.id) if refund.payment_id == history.paid.id]
    return render_template(
        "account/receipt.html",
        history=history,
        refunds=[refund for refund in done if refund.status == RefundStatus.SUCCEEDED],
    )


@bp.get("/licenses")
@login_required
def licenses() -> str:
    """List the licenses, newest first, their texts out of sight."""
    return render_template("account/licenses.html", page=licenses_page_of(required_learner(), _page_number()))


def _license(license_id: str) -> LicenseLine:
    return license_line_of(required_learner(), _known_form(license_id))


@bp.get("/licenses/<license_id>")
@login_required
def license(license_id: str) -> str:
    """Show one license with its text."""
    line = _license(license_id)
    mailing = mail_job_of(line.license.id)
    log.info("license shown", extra={"license_id": line.license.id})
    return render_template(
        "account/license.html",
        line=line,
        mail_text=mail_text(mailing, required_learner().email),
        was_refunded=line.license.revoked_reason == REVOKED_BECAUSE,
    )


@bp.get("/licenses/<license_id>/download")
@login_required
def download_license(license_id: str) -> Response:
    """The text of a license as a file."""
    found = _license(license_id).license
    if found.status != LicenseStatus.ACTIVE:
        raise Conflict("license_not_active")
    log.info("license downloaded", extra={"license_id": found.id})
    response = send_file(
        io.BytesIO(found.text.encode()),
        mimetype="text/plain",
        as_attachment=True,
        download_name=f"{found.course_id}.lic.txt",
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/licenses/<license_id>/resend")
@login_required
@limiter.limit("5 per hour", key_func=_account)
def resend_license(license_id: str) -> ResponseReturnValue:
    """Send the license's mail again."""
    line = _license(license_id)
    found = line.license
    if found.status != LicenseStatus.ACTIVE:
        raise Conflict("license_not_active")
    if line.order is None:
        # The mail is a receipt, too; what was granted has none.
        raise Conflict("license_not_bought")
    ask_for_mail(required_learner(), found.id)
    flash(_("The license is on its way to your e-mail address."), "success")
    return redirect(url_for(".license", license_id=found.id), 303)


@bp.get("/devices")
@login_required
def devices() -> str:
    """List where the account is signed in, and the editors that act for it."""
    asking = required_reader()
    return render_template(
        "account/devices.html",
        sessions=sessions.sessions_of(asking.id),
        editors=editors_of(asking.id),
        here=asking.session_public_id,
    )


@bp.post("/devices/<session_id>/end")
@login_required
def end_session(session_id: str) -> ResponseReturnValue:
    """End one session; ending this one is signing out."""
    if required_reader().session_public_id == session_id:
        sign_out()
        return redirect(url_for("storefront.courses"), 303)
    sessions.end_session(required_learner(), _known_form(session_id))
    flash(_("That browser is signed out."), "success")
    return redirect(url_for(".devices"), 303)


@bp.post("/devices/editors/<editor_id>/end")
@login_required
def end_editor(editor_id: str) -> ResponseReturnValue:
    """End one editor: its next request is nobody's."""
    tokens.end_editor(required_learner(), _known_form(editor_id))
    flash(_("That editor is disconnected."), "success")
    return redirect(url_for(".devices"), 303)


@bp.post("/devices/end-others")
@login_required
def end_other_sessions() -> ResponseReturnValue:
    """End all sessions but this one."""
    count = sessions.end_other_sessions(required_learner(), required_reader().session_id)
    flash(
        ngettext("%(num)s other browser is signed out.", "%(num)s other browsers are signed out.", count),
        "success",
    )
    return redirect(url_for(".devices"), 303)
