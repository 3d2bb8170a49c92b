"""Paying without a phone: what a test does instead of scanning."""

from __future__ import annotations

from typing import Any

from ..cashier import REFUSALS, PaymentRefused
from ..payers import USUAL_PAYER
from ..transaction import transaction_of
from ..world import World, the_world
from .arguments import Arguments
from .blueprint import ControlError, bp


@bp.post("/pay")
def pay() -> dict[str, Any]:
    """Pay as the phone would; 409 with the reason when the phone would refuse."""
    world, arguments = the_world(), Arguments.of_request()
    code_url = _code_url(world, arguments)
    openid = arguments.text("user", USUAL_PAYER)
    payer_total = arguments.integer("amount_payer") if "amount_payer" in arguments else None
    notify = arguments.flag("notify", True)
    arguments.done()
    try:
        order = world.cashier.pay(code_url, openid, payer_total=payer_total, notify=notify)
    except PaymentRefused as refusal:
        raise _conflict(refusal) from None
    return transaction_of(order, world.clock.now())


@bp.post("/scan")
def scan() -> dict[str, Any]:
    """Open an order with a user's phone and do not pay."""
    world, arguments = the_world(), Arguments.of_request()
    code_url = _code_url(world, arguments)
    openid = arguments.text("user", USUAL_PAYER)
    arguments.done()
    try:
        order = world.cashier.open(code_url, openid)
    except PaymentRefused as refusal:
        raise _conflict(refusal) from None
    return {"out_trade_no": order.out_trade_no, "total": order.total, "opened_by": openid}


def _code_url(world: World, arguments: Arguments) -> str:
    """The code named, or the newest one of the order named."""
    if "code_url" in arguments:
        return arguments.text("code_url")
    number = arguments.text("out_trade_no")
    code = world.orders.newest_code(world.keys.merchant.mchid, number)
    if code is None:
        raise ControlError(409, "unknown_order", message="no such order")
    return code.code_url


def _conflict(refusal: PaymentRefused) -> ControlError:
    return ControlError(409, refusal.reason, message=REFUSALS[refusal.reason][0])
