"""A refund as the books have it, and as WeChat Pay tells it: in answers, and in notifications.

Fields: pay.weixin.qq.com/doc/v3/merchant/4013071036. The state is called `status` in answers and
`refund_status` in notifications, which leave out channel, funds account and currency.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .clock import rfc3339
from .fees import fee_of
from .orders import Order


@dataclass(frozen=True)
class Refund:
    """A row of the books. `status`: PROCESSING, SUCCESS, ABNORMAL, CLOSED."""

    refund_id: str
    mchid: str
    out_refund_no: str
    out_trade_no: str
    transaction_id: str
    origin: str
    """`api`, or `console`: made by hand in the merchant platform."""
    request: str
    status: str
    amount: int
    payer_refund: int
    """What of `amount` goes to the payer; the rest was a coupon."""
    notify_url: str | None
    account: str
    """The payer's account the money goes to, in words."""
    outcome: str | None
    """The status it will have at `due_at`; None when somebody has to decide."""
    due_at: float | None
    created_at: float
    settled_at: float | None

    @property
    def fields(self) -> dict[str, Any]:
        """The request that made it."""
        parsed: dict[str, Any] = json.loads(self.request)
        return parsed


def refund_of(refund: Refund, order: Order) -> dict[str, Any]:
    """The answer to a refund call and to a refund query."""
    told = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": refund.account,
        "create_time": rfc3339(refund.created_at),
        "status": refund.status,
        "funds_account": refund.fields.get("funds_account", "AVAILABLE"),
        "amount": _amount(refund, order),
    }
    if refund.status == "SUCCESS" and refund.settled_at is not None:
        told["success_time"] = rfc3339(refund.settled_at)
    if coupon := refund.amount - refund.payer_refund:
        told["promotion_detail"] = [_coupon(coupon, order)]
    return told


def notified_refund_of(refund: Refund, order: Order) -> dict[str, Any]:
    """The resource of a refund notification."""
    told = {
        "mchid": refund.mchid,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "refund_status": refund.status,
        "user_received_account": refund.account,
        "amount": {
            "total": order.total,
            "refund": refund.amount,
            "payer_total": order.payer_total,
            "payer_refund": refund.payer_refund,
        },
    }
    if refund.status == "SUCCESS" and refund.settled_at is not None:
        told["success_time"] = rfc3339(refund.settled_at)
    return told


def _amount(refund: Refund, order: Order) -> dict[str, Any]:
    return {
        "total": order.total,
        "refund": refund.amount,
        "from": refund.fields.get("amount", {}).get("from", []),
        "payer_total": order.payer_total,
        "payer_refund": refund.payer_refund,
        "settlement_refund": refund.payer_refund,
        "settlement_total": order.payer_total,
        "discount_refund": refund.amount - refund.payer_refund,
        "currency": "CNY",
        "refund_fee": fee_of(refund.payer_refund),
    }


def _coupon(amount: int, order: Order) -> dict[str, Any]:
    assert order.payer_total is not None
    return {
        "promotion_id": "109519",
        "scope": "GLOBAL",
        "type": "DISCOUNT",
        "amount": order.total - order.payer_total,
        "refund_amount": amount,
    }
