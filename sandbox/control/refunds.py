"""The books of refunds, deciding what becomes of one, and refunds made by hand in the merchant platform."""

from __future__ import annotations

import secrets
from typing import Any

from flask import request

from ..errors import ApiError
from ..native_fields import check_notify_url
from ..refund import Refund, refund_of
from ..refunds import WrongMove
from ..world import World, the_world
from .arguments import Arguments
from .blueprint import ControlError, bp
from .books import merchant_asked_about

OUTCOMES = ("SUCCESS", "ABNORMAL", "CLOSED")


@bp.get("/refunds")
def refunds() -> dict[str, Any]:
    """Every refund of a merchant, or of one of its orders, oldest first."""
    world = the_world()
    mchid, number = merchant_asked_about(world).mchid, request.args.get("out_trade_no")
    found = world.refunds.of_order(mchid, number) if number else world.refunds.all(mchid)
    return {"refunds": [refund_entry(world, refund) for refund in found]}


@bp.get("/refunds/<out_refund_no>")
def one_refund(out_refund_no: str) -> dict[str, Any]:
    """One refund, and how often the merchant called about its order."""
    world = the_world()
    return refund_entry(world, _refund(world, out_refund_no))


@bp.post("/refunds/<out_refund_no>/settle")
def settle(out_refund_no: str) -> dict[str, Any]:
    """Bring a refund to an end: the chosen one."""
    return settled(out_refund_no, Arguments.of_request())


def settled(out_refund_no: str, arguments: Arguments) -> dict[str, Any]:
    """Bring a refund to the end that `arguments` choose."""
    world = the_world()
    outcome = arguments.text("outcome", "SUCCESS", choices=OUTCOMES)
    notify = arguments.flag("notify", True)
    arguments.done()
    found = _refund(world, out_refund_no)
    try:
        return refund_entry(world, world.refunds.settle(found, outcome, notify=notify))
    except WrongMove as wrong:
        raise ControlError(409, "wrong_move", message=str(wrong)) from None


@bp.post("/refunds/console")
def console_refund() -> tuple[dict[str, Any], int]:
    """Refund by hand in the merchant platform, where the shop has no part in it."""
    return made_by_hand(Arguments.of_request()), 201


def made_by_hand(arguments: Arguments) -> dict[str, Any]:
    """Make the refund that `arguments` describe."""
    world = the_world()
    mchid, number = merchant_asked_about(world).mchid, arguments.text("out_trade_no")
    order = world.orders.find(mchid, number)
    if order is None or order.state != "SUCCESS":
        raise ControlError(409, "not_paid", message="no such order, or not paid")
    amount = arguments.integer("amount", order.total, least=1)
    fields = {
        "out_trade_no": number,
        "out_refund_no": arguments.text("out_refund_no", f"HAND{secrets.token_hex(12).upper()}"),
        "reason": arguments.text("reason", "商户平台退款"),
        "amount": {"refund": amount, "total": order.total, "currency": "CNY"},
    }
    is_told = arguments.flag("notify", False)
    notify_url = arguments.text("notify_url", order.fields["notify_url"])
    arguments.done()
    try:
        check_notify_url(notify_url)
        made = world.refunds.make_by_hand(order, fields, notify_url if is_told else None)
    except ApiError as refusal:
        raise ControlError(409, "refused", message=refusal.message) from None
    return refund_entry(world, made)


def refund_entry(world: World, refund: Refund) -> dict[str, Any]:
    """A refund as the books have it, and as a query would tell it."""
    order = world.orders.placed(refund.mchid, refund.out_trade_no)
    return dict(vars(refund)) | {"request": refund.fields, "refund": refund_of(refund, order)}


def _refund(world: World, out_refund_no: str) -> Refund:
    found = world.refunds.find(merchant_asked_about(world).mchid, out_refund_no)
    if found is None:
        raise ControlError(404, "no such refund")
    return found
