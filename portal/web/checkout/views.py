"""Buy a course, and the one page that shows an order from its QR code to its license."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from portal.catalogue.queries import Terms, terms_of
from portal.kit import clock
from portal.kit.errors import Invalid, NotFound
from portal.learners.sessions import Person
from portal.licenses.services import AlreadyOwned
from portal.orders.models import OrderStatus
from portal.orders.services import NotForSale, PriceChanged
from portal.payments.checkout_state import CheckoutPage, CheckoutState
from portal.payments.close import check_order, close_order, start_closing
from portal.payments.queries import Purchase, poll_row, purchase_of
from portal.payments.start import Begun, GatewayAway, begin_checkout
from portal.payments.watch import note_watcher
from portal.switchboard.services import SalesPaused
from portal.tools import Tools
from portal.transfers.queries import checkout_of
from portal.web.auth import login_required, required_reader
from portal.web.filters import hold_notice, is_on_hold
from portal.web.limits import limiter
from portal.web.tools import tools

bp = Blueprint("checkout", __name__)

_MOST_REFRESHES = 12
_PRICE = re.compile(r"\d{1,9}", re.ASCII)
_ORDER_ID = re.compile(r"[0-9a-z]{20}", re.ASCII)


def account() -> str:
    """Return what limits count by."""
    return f"account:{required_reader().id}"


def purchase(order_id: str, *, with_qr: bool = False) -> Purchase:
    """Return the purchase of whoever is signed in.

    Raises:
        NotFound: there is none, or it is another's.
    """
    if not _ORDER_ID.fullmatch(order_id):
        raise NotFound
    return purchase_of(required_reader(), order_id, with_qr=with_qr)


@bp.post("/courses/<course_id>/buy")
@login_required
@limiter.limit("10/minute;60/hour", key_func=account)
def buy(course_id: str) -> ResponseReturnValue:
    """Place the order, or return to the one that is open; an owned course leads to its license."""
    return begin(course_id, begin_checkout)


def begin(course_id: str, place: Callable[[Person, Terms, int | None, Tools], Begun]) -> ResponseReturnValue:
    """Place an order by `place`, and lead to where it is paid, or to why not."""
    course = terms_of(course_id)
    try:
        begun = place(required_reader(), course, _seen_price(), tools())
    except AlreadyOwned as error:
        if error.facts["license_id"] is None:
            return redirect(url_for("storefront.course", course_id=course.id), 303)
        return redirect(url_for("account.license", license_id=error.facts["license_id"]), 303)
    except PriceChanged:
        flash(
            _("The price has changed since you opened the page. Please look again before you pay."), "warning"
        )
        return redirect(url_for("storefront.course", course_id=course.id), 303)
    except NotForSale:
        flash(_("This course cannot be bought at the moment."), "warning")
        return redirect(url_for("storefront.course", course_id=course.id), 303)
    except SalesPaused as error:
        why = error.facts.get("en" if str(get_locale()) == "en" else "zh")
        flash(str(why) if why else hold_notice(), "warning")
        return redirect(url_for("storefront.course", course_id=course.id), 303)
    except GatewayAway as error:
        page = render_template("checkout/gateway_away.html", course=course)
        return page, 503, {"Retry-After": str(error.retry_after)}
    return redirect(url_for("checkout.show", order_id=begun.order_public_id), 303)


def _seen_price() -> int | None:
    """Return the price the learner saw, from the form; the order's price is never taken from it."""
    text = request.form.get("price_fen")
    if text is None:
        return None
    if not _PRICE.fullmatch(text):
        raise Invalid("price_fen")
    return int(text)


@bp.get("/checkout/<order_id>")
@login_required
def show(order_id: str) -> ResponseReturnValue:
    """The page of an order, in whatever state it is."""
    found = purchase(order_id)
    # Before it is drawn: what time has changed meanwhile shall have another tag.
    tag = _tag(found.order)
    return render_template("checkout/show.html", **facts_of(found), tag=tag, refresh_count=_refresh_count())


def facts_of(found: Purchase) -> dict[str, Any]:
    """Return what the templates of the checkout are given."""
    checkout = checkout_of(found)
    order_id = found.order.public_id
    settings = tools().settings
    return {
        "checkout": checkout,
        "poll_url": url_for("checkout.status", order_id=order_id),
        "check_url": url_for("checkout.check", order_id=order_id),
        "cancel_url": url_for("checkout.cancel", order_id=order_id),
        "tell_url": url_for("checkout.transfer", order_id=order_id),
        "page_url": f"{settings.PORTAL_BASE_URL}/checkout/{order_id}",
        "phone_url": _sandbox_phone(checkout),
        "device": _device(),
        "next_ms": checkout.poll_seconds * 1000,
        "support_email": settings.SUPPORT_EMAIL,
    }


def _sandbox_phone(checkout: CheckoutPage) -> str | None:
    """Return the pretend phone for this code; only where money is not real."""
    settings, payment = tools().settings, checkout.payment
    if settings.is_live or payment is None or not payment.code_url:
        return None
    return f"{settings.WECHATPAY_BASE_URL}/phone/scan?code_url={quote(payment.code_url, safe='')}"


def _refresh_count() -> int:
    text = request.args.get("r", "0")
    return min(int(text), _MOST_REFRESHES) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _device() -> str:
    """Guess where the page is read: a code on the phone's own screen cannot be scanned with it."""
    browser = request.user_agent.string
    if "MicroMessenger" in browser:
        return "wechat"
    return "phone" if re.search(r"Mobi|Android|iPhone", browser) else "desktop"


@bp.get("/checkout/<order_id>/status")
@login_required
@limiter.limit("300/minute", key_func=account)
def status(order_id: str) -> ResponseReturnValue:
    """What the page polls: unchanged (304), or the partial it was drawn with and whether to stop."""
    if not _ORDER_ID.fullmatch(order_id):
        raise NotFound
    if request.if_none_match:
        row = poll_row(required_reader().id, order_id)
        # Weakly: a proxy that packs answers makes the tag a weak one.
        if request.if_none_match.contains_weak(tag := _tag(row)):
            _note_watcher(row)
            return _polled(Response(status=304, mimetype="application/json"), tag)
    found = purchase(order_id)
    _note_watcher(found.order)
    tag = _tag(found.order)
    facts = facts_of(found)
    checkout: CheckoutPage = facts["checkout"]
    body = {
        "state": checkout.state,
        "html": render_template("checkout/_status.html", **facts),
        "stop": checkout.is_final,
        "next_ms": facts["next_ms"],
    }
    return _polled(Response(json.dumps(body, ensure_ascii=False), mimetype="application/json"), tag)


def _tag(order: Any) -> str:
    """Return what changes whenever the page of an order does: of its facts, or of its `poll_row`."""
    is_over = order.status == OrderStatus.PENDING and clock.now() >= order.expires_at
    is_late = order.status == OrderStatus.PAID and (clock.now() - order.paid_at).total_seconds() > 60
    return f"{order.version}-{order.status}-{int(is_over)}{int(is_late)}{int(is_on_hold())}-{get_locale()}-{_device()}"


def _note_watcher(order: Any) -> None:
    is_waiting = order.status == OrderStatus.PENDING and not order.closing
    if is_waiting and clock.now() < order.expires_at:
        note_watcher(order.public_id, order.created_at)


def _polled(response: Response, tag: str) -> Response:
    response.set_etag(tag)
    # The page itself keeps the tag and sends it; no cache may keep an answer that may hold a license.
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/checkout/<order_id>/check")
@login_required
@limiter.limit("60/minute", key_func=account)
def check(order_id: str) -> ResponseReturnValue:
    """*I have paid*: really ask WeChat, at most once in 5 seconds for an order."""
    found = purchase(order_id)
    if found.order.is_open:
        check_order(found.order, tools())
        found = purchase(order_id)
        if found.order.is_open and found.was_code_shown:
            flash(
                _(
                    "WeChat Pay has not confirmed a payment yet. If you have paid, wait a moment; do not pay again."
                )
            )
    return redirect(url_for("checkout.show", order_id=order_id), 303)


@bp.post("/checkout/<order_id>/cancel")
@login_required
@limiter.limit("60/minute", key_func=account)
def cancel(order_id: str) -> ResponseReturnValue:
    """Close the order at WeChat, then here; if the money was faster, it is paid."""
    found = purchase(order_id)
    if start_closing(found.order, OrderStatus.CANCELLED, f"learner:{required_reader().public_id}"):
        close_order(found.order.id, tools())
    return redirect(url_for("checkout.show", order_id=order_id), 303)


@bp.get("/checkout/<order_id>/qr.svg")
@login_required
def qr(order_id: str) -> ResponseReturnValue:
    """The code to scan, for its owner only, while it can be paid."""
    checkout = checkout_of(purchase(order_id, with_qr=True))
    payment = checkout.payment
    if checkout.state is not CheckoutState.AWAITING_PAYMENT or payment is None or payment.qr_svg is None:
        raise NotFound
    response = make_response(payment.qr_svg)
    response.mimetype = "image/svg+xml"
    response.headers["Cache-Control"] = "no-store"
    return response
