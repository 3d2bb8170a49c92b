"""The phone: pages on which a person scans a code and pays, fails to pay, walks away, or complains afterwards.

Pages are read with GET; only POST changes an order.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from .cashier import REFUSALS, PaymentRefused
from .clock import BEIJING
from .control.arguments import Arguments
from .control.blueprint import ControlError
from .control.complaints import acted, complained
from .orders import Order
from .pages import YEAR_SECONDS, choose_language, other_language_address, remember_language
from .payers import PAYERS, USUAL_PAYER
from .phone_words import words
from .world import the_world

MOST_FINISHED = 8

bp = Blueprint("phone", __name__, url_prefix="/phone")


bp.before_request(choose_language)
bp.after_request(remember_language)


@bp.before_request
def who_holds_it() -> None:
    """The payer, from the last choice."""
    g.payer = request.cookies.get("sandbox_payer", USUAL_PAYER)
    if g.payer not in PAYERS:
        g.payer = USUAL_PAYER


@bp.get("", strict_slashes=False)
def home() -> str:
    """Pending orders, the scanner, and what was finished lately."""
    orders = the_world().orders.all(the_world().keys.merchant.mchid)
    now = the_world().clock.now()
    pending = [_card(order) for order in orders if order.trade_state(now) == "NOTPAY"]
    finished = [_card(order) for order in orders if order.trade_state(now) in ("SUCCESS", "REFUND", "CLOSED")]
    notice = request.args.get("notice", "")
    return _page("home", pending=pending, finished=finished[:MOST_FINISHED], notice=notice)


@bp.get("/scan")
def scan() -> tuple[str, int] | str:
    """The cashier's page for a code, or why there is none."""
    code_url = request.args.get("code_url", "").strip()
    if not code_url:
        return _page("home_empty"), 400
    try:
        order = the_world().cashier.look(code_url, g.payer)
    except PaymentRefused as refusal:
        return _refused(code_url, refusal)
    return _page("cashier", order=_card(order), code_url=code_url, notice=request.args.get("notice", ""))


@bp.post("/pay")
def pay() -> AnyResponse | tuple[str, int]:
    """Pay, then show the order and what the merchant answers."""
    code_url = request.form.get("code_url", "")
    try:
        order = the_world().cashier.pay(code_url, g.payer)
    except PaymentRefused as refusal:
        return _refused(code_url, refusal)
    return redirect(url_for(".order", mchid=order.mchid, out_trade_no=order.out_trade_no), 303)


@bp.post("/insufficient")
def insufficient() -> AnyResponse | tuple[str, int]:
    """Try to pay without the money: the order is this user's now, and still unpaid."""
    return _open_only(".scan", "insufficient_told")


@bp.post("/leave")
def leave() -> AnyResponse | tuple[str, int]:
    """Walk away from the cashier's page."""
    return _open_only(".home", "left_told")


@bp.post("/payer")
def payer() -> AnyResponse:
    """Hand the phone to another user."""
    chosen = request.form.get("payer", "")
    response = redirect(url_for(".home"), 303)
    if chosen in PAYERS:
        response.set_cookie("sandbox_payer", chosen, YEAR_SECONDS, path="/phone", samesite="Lax")
    return response


@bp.get("/orders/<mchid>/<out_trade_no>")
def order(mchid: str, out_trade_no: str) -> Response:
    """One order: its state, refunds and complaints, and every delivery of its notifications."""
    found = the_world().orders.find(mchid, out_trade_no)
    if found is None or found.state == "BURNT":
        return make_response(_page("not_found"), 404)
    return make_response(_order_page(found))


@bp.post("/orders/<out_trade_no>/complain")
def complain(out_trade_no: str) -> AnyResponse | tuple[str, int]:
    """Complain about a paid order."""
    return _act(out_trade_no, lambda: complained(_words_of_payer({"out_trade_no": out_trade_no})))


@bp.post("/orders/<out_trade_no>/complaints/<complaint_id>")
def go_on(out_trade_no: str, complaint_id: str) -> AnyResponse | tuple[str, int]:
    """Go on complaining, answer the merchant, or be satisfied: as the button pressed says."""
    action = request.form.get("action", "")
    return _act(out_trade_no, lambda: acted(complaint_id, action, _words_of_payer({}, action)))


def _act(out_trade_no: str, do: Callable[[], Any]) -> AnyResponse | tuple[str, int]:
    """Do something about a complaint, then show its order; on a refusal, why."""
    mchid = request.args.get("mchid", "")
    try:
        do()
    except ControlError as refusal:
        found = the_world().orders.find(mchid, out_trade_no)
        if found is None:
            return _page("not_found"), 404
        message = str(refusal.body.get("message", refusal.body["error"]))
        return _order_page(found, message), refusal.status
    return redirect(url_for(".order", mchid=mchid, out_trade_no=out_trade_no), 303)


def _words_of_payer(fields: dict[str, Any], action: str = "") -> Arguments:
    """The form as a control request would have it, pictures in base64."""
    for name in ("detail", "problem_type"):
        if text := request.form.get(name, "").strip():
            fields[name] = text
    pictures = [file.read() for file in request.files.getlist("pictures") if file.filename]
    if pictures and action != "be_satisfied":
        fields["images"] = [base64.b64encode(picture).decode() for picture in pictures]
    return Arguments(fields)


def _order_page(order: Order, error: str = "") -> str:
    world = the_world()
    notifications = world.notifications.of_order(order.mchid, order.out_trade_no)
    complaints = world.complaints.of_order(order.mchid, order.out_trade_no)
    return _page(
        "order",
        order=_card(order),
        told=[(n, world.notifications.deliveries_of(n.id)) for n in notifications],
        refunds=world.refunds.of_order(order.mchid, order.out_trade_no),
        complaints=[(complaint, world.complaints.history(complaint)) for complaint in complaints],
        can_complain=order.state == "SUCCESS" and all(c.state == "PROCESSED" for c in complaints),
        is_waiting=any(n.state == "pending" for n in notifications),
        error=error,
    )


@bp.app_template_filter("yuan")
def yuan(fen: int) -> str:
    """An amount in fen as people read it."""
    return f"¥{fen // 100:,}.{fen % 100:02d}"


@bp.app_template_filter("beijing")
def beijing(moment: float) -> str:
    """A moment in Beijing time, to the second."""
    return datetime.fromtimestamp(int(moment), BEIJING).strftime("%m-%d %H:%M:%S")


def _open_only(endpoint: str, notice: str) -> AnyResponse | tuple[str, int]:
    code_url = request.form.get("code_url", "")
    try:
        the_world().cashier.open(code_url, g.payer)
    except PaymentRefused as refusal:
        return _refused(code_url, refusal)
    values: dict[str, Any] = {"code_url": code_url} if endpoint == ".scan" else {}
    return redirect(url_for(endpoint, notice=notice, **values), 303)


def _refused(code_url: str, refusal: PaymentRefused) -> tuple[str, int]:
    """The page WeChat shows instead of its cashier."""
    code = the_world().orders.code(code_url)
    message = REFUSALS[refusal.reason][1 if g.language == "en" else 0]
    known = _card(the_world().cashier.order_of(code)) if code else None
    return _page("refused", message=message, reason=refusal.reason, order=known), 409


def _card(order: Order) -> dict[str, Any]:
    """What the pages show of an order."""
    world = the_world()
    merchant = world.keys.merchant_of(order.mchid)
    code = world.orders.newest_code(order.mchid, order.out_trade_no)
    now = world.clock.now()
    return {
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "merchant": merchant.name if merchant else order.mchid,
        "description": order.fields.get("description", ""),
        "total": order.total,
        "payer_total": order.payer_total,
        "state": order.trade_state(now),
        "pay_until": order.pay_until,
        "is_over": order.is_over(now),
        "paid_at": order.paid_at,
        "paid_by": PAYERS.get(order.openid or "", order.openid),
        "transaction_id": order.transaction_id,
        "code_url": code.code_url if code and code.opens(now) else "",
    }


def _page(name: str, **facts: Any) -> str:
    others = [(openid, payer_name) for openid, payer_name in PAYERS.items() if openid != g.payer]
    return render_template(
        f"phone/{name}.html",
        words=words(g.language),
        language=g.language,
        payer_name=PAYERS[g.payer],
        other_payers=others,
        other_language_address=other_language_address(".home", ("code_url", "notice")),
        **facts,
    )
