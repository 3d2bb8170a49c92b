"""Routes of `/v3/refund/domestic/refunds`: refund, query, and putting an abnormal refund right."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from . import errors
from .call import Call
from .errors import ApiError
from .gateway import operation
from .keys import Merchant
from .refund import Refund, refund_of
from .refund_fields import OUT_REFUND_NO_RULE, check_abnormal_refund, check_refund
from .sensitive import decrypted
from .world import World

bp = Blueprint("refunds", __name__, url_prefix="/v3/refund/domestic/refunds")


@bp.post("", provide_automatic_options=False)
@operation("refund", needs_user_agent=True)
def refund(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Ask for a refund; 200 means accepted."""
    try:
        fields = call.json_object()
        check_refund(fields)
        accepted = world.refunds.request(merchant.mchid, fields)
    except ApiError as error:
        if world.switches["refund_failing_limit"] and world.failing_refunds.is_over(merchant.mchid):
            raise errors.frequency_limited("频率限制，请降低申请频率再重试") from error
        raise
    return _told(world, accepted)


@bp.get("/<out_refund_no>", provide_automatic_options=False)
@operation("refund_query", needs_user_agent=True)
def query(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Query a refund by the merchant's number."""
    if call.query:
        raise errors.unknown_fields([f"/query/{name}" for name in call.query])
    number = call.path_values["out_refund_no"]
    try:
        OUT_REFUND_NO_RULE.check(number, "/out_refund_no")
    except ApiError as error:
        message = error.message.replace("/body/", "/uri_template/")
        raise errors.param_error(message, "out_refund_no", "url", number) from None
    found = world.refunds.find(merchant.mchid, number)
    if found is None:
        raise errors.resource_not_exists("退款单不存在")
    return _told(world, found)


@bp.post("/<refund_id>/apply-abnormal-refund", provide_automatic_options=False)
@operation("abnormal_refund", needs_user_agent=True)
def apply_abnormal_refund(world: World, merchant: Merchant, call: Call) -> dict[str, Any]:
    """Send an abnormal refund to a bank card: the payer's, or the merchant's own."""
    fields = call.json_object()
    check_abnormal_refund(fields)
    secret = [decrypted(world, merchant, call, fields, name) for name in ("bank_account", "real_name")]
    found = world.refunds.find_by_id(merchant.mchid, call.path_values["refund_id"])
    if found is None:
        raise errors.resource_not_exists("退款单不存在")
    if found.out_refund_no != fields["out_refund_no"]:
        raise errors.invalid_request("您的请求参数与订单信息不一致", 268447843)
    account = f"{fields.get('bank_type', '商户')}{(secret[0] or '')[-4:]}"
    return _told(world, world.refunds.repair(found, account))


def _told(world: World, refund: Refund) -> dict[str, Any]:
    return refund_of(refund, world.orders.placed(refund.mchid, refund.out_trade_no))
