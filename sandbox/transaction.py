"""An order as WeChat Pay tells it to the merchant: in a query's answer and in a notification.

Fields: pay.weixin.qq.com/doc/v3/merchant/4012791877 and its sibling pages. An unpaid order has no
transaction_id, trade_type, payer or amount.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .clock import rfc3339
from .orders import Order

DESCRIPTIONS = {"NOTPAY": "订单未支付", "SUCCESS": "支付成功", "CLOSED": "订单已关闭", "REFUND": "转入退款"}


def transaction_of(order: Order, now: float) -> dict[str, Any]:
    """The order as of `now` (Unix seconds)."""
    state = order.trade_state(now)
    fields = order.fields
    told: dict[str, Any] = {
        "appid": order.appid,
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "trade_state": state,
        "trade_state_desc": DESCRIPTIONS[state],
    }
    if "attach" in fields:
        told["attach"] = fields["attach"]
    if device_id := fields.get("scene_info", {}).get("device_id"):
        told["scene_info"] = {"device_id": device_id}
    return told | paid_fields(order) if order.state == "SUCCESS" else told


def payment_of(order: Order, now: float) -> dict[str, Any]:
    """A paid order as its payment notification tells it, whatever has been refunded since."""
    return transaction_of(replace(order, refunds=0), now)


def paid_fields(order: Order) -> dict[str, Any]:
    """What only a paid order has."""
    assert order.paid_at is not None and order.payer_total is not None
    paid: dict[str, Any] = {
        "transaction_id": order.transaction_id,
        "trade_type": order.trade_type,
        "bank_type": "OTHERS",
        "attach": order.fields.get("attach", ""),
        "success_time": rfc3339(order.paid_at),
        "payer": {"openid": order.openid},
        "amount": {
            "total": order.total,
            "payer_total": order.payer_total,
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }
    if order.payer_total < order.total:
        paid["promotion_detail"] = [_coupon(order.total - order.payer_total)]
    return paid


def _coupon(amount: int) -> dict[str, Any]:
    """A coupon that explains why the payer paid `amount` fen less."""
    return {
        "coupon_id": "109519",
        "name": "沙箱立减券",
        "scope": "GLOBAL",
        "type": "NOCASH",
        "amount": amount,
        "stock_id": "931386",
        "wechatpay_contribute": amount,
        "merchant_contribute": 0,
        "other_contribute": 0,
        "currency": "CNY",
    }
