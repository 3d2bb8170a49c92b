"""Routes of `/v3/pay/transactions`: Native order, query by either number, close.

Further ways of paying (H5, JSAPI) are further files of this kind, each with its field rules.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from . import errors
from .call import Call
from .errors import ApiError
from .fields import missing
from .gateway import operation
from .keys import Merchant
from .native_fields import CLOSE, MCHID_RULE, OUT_TRADE_NO_RULE, check_order
from .transaction import transaction_of
from .world import World

bp = Blueprint("transactions", __name__, url_prefix="/v3/pay/transactions")


@bp.post("/native", provide_automatic_options=False)
@operation("create")
def native(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Place a Native order."""
    fields = call.json_object()
    check_order(fields)
    if fields["mchid"] != merchant.mchid:
        raise errors.mchid_mismatch("/mchid", "body", fields["mchid"])
    if fields["appid"] != merchant.appid:
        raise errors.appid_mismatch()
    return {"code_url": world.orders.place(merchant, "NATIVE", fields)}


@bp.get("/out-trade-no/<out_trade_no>", provide_automatic_options=False)
@operation("query")
def by_out_trade_no(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Query an order in any state by the merchant's number."""
    number = _checked_number(call)
    _check_query_mchid(merchant, call)
    return transaction_of(world.orders.placed(merchant.mchid, number), world.clock.now())


@bp.get("/id/<transaction_id>", provide_automatic_options=False)
@operation("query")
def by_transaction_id(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Query a paid order by WeChat Pay's number."""
    _check_query_mchid(merchant, call)
    order = world.orders.paid_as(merchant.mchid, call.path_values["transaction_id"])
    return transaction_of(order, world.clock.now())


@bp.post("/out-trade-no/<out_trade_no>/close", provide_automatic_options=False)
@operation("close")
def close(world: World, merchant: Merchant, call: Call) -> None:
    """Close an unpaid order; answers 204."""
    number = _checked_number(call)
    fields = call.json_object()
    CLOSE.check(fields, "")
    if fields["mchid"] != merchant.mchid:
        raise errors.mchid_mismatch("/mchid", "body", fields["mchid"])
    world.orders.close(merchant.mchid, number)


def _checked_number(call: Call) -> str:
    """The order number of the path, held to the same rule as in an order's body."""
    number = call.path_values["out_trade_no"]
    try:
        OUT_TRADE_NO_RULE.check(number, "/out_trade_no")
    except ApiError as error:
        message = error.message.replace("/body/", "/uri_template/")
        raise errors.param_error(message, "out_trade_no", "url", number) from None
    return number


def _check_query_mchid(merchant: Merchant, call: Call) -> None:
    """`mchid` must be there, be the signer's, and be alone."""
    if unknown := [f"/query/{name}" for name in call.query if name != "mchid"]:
        raise errors.unknown_fields(unknown)
    if not call.query.get("mchid"):
        raise errors.param_error(missing("/query/mchid", MCHID_RULE.label), "mchid", "query", "")
    if call.query["mchid"] != merchant.mchid:
        raise errors.mchid_mismatch("mchid", "query", call.query["mchid"])
