"""The lines of a trade bill: what happened on one day in Beijing, as WeChat Pay writes it.

Columns and meanings: pay.weixin.qq.com/doc/v3/merchant/4013071238. A refund has a line of its
own, on the day it was asked for, with the status it had when the bill was made the next morning.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from .clock import BEIJING
from .fees import RATE_PERCENT, fee_of
from .orders import Order, Orders
from .refund import Refund
from .refunds import Refunds

MADE_AT = time(9)
"""Bills are made from nine in the morning on."""
_PAYMENT_HEAD = (
    "交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型",
    "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额",
)  # fmt: skip
_REFUND = (
    "微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态",
)  # fmt: skip
_TAIL = ("商品名称", "商户数据包", "手续费", "费率", "订单金额")
COLUMNS = {
    "ALL": (*_PAYMENT_HEAD, *_REFUND, *_TAIL, "申请退款金额", "费率备注"),
    "SUCCESS": (*_PAYMENT_HEAD, *_TAIL, "费率备注"),
    "REFUND": (
        *_PAYMENT_HEAD, "退款申请时间", "退款成功时间", *_REFUND, *_TAIL, "申请退款金额", "费率备注",
    ),
}  # fmt: skip
"""Columns by the bill's type, in the order of the file."""
_STATES = {"ABNORMAL": "CHANGE", "CLOSED": "FAIL"}

Line = dict[str, str]
"""Column to text; amounts are yuan with two decimals."""


def lines_of_day(orders: Orders, refunds: Refunds, mchid: str, day: date, bill_type: str) -> list[Line]:
    """The lines of one day, in order of time."""
    begin, end = moment(day), moment(day + timedelta(days=1))
    made_at = moment(day + timedelta(days=1), MADE_AT)
    lines: list[tuple[float, Line]] = []
    if bill_type != "REFUND":
        lines += [
            (order.paid_at or 0, payment_line(order)) for order in orders.paid_between(mchid, begin, end)
        ]
    if bill_type != "SUCCESS":
        for refund in refunds.made_between(mchid, begin, end):
            order = orders.placed(mchid, refund.out_trade_no)
            lines.append((refund.created_at, refund_line(as_of(refund, made_at), order)))
    return [line for _, line in sorted(lines, key=lambda timed: timed[0])]


def moment(day: date, at: time = time(0)) -> float:
    """A time of day in Beijing, in Unix seconds."""
    return datetime.combine(day, at, BEIJING).timestamp()


def as_of(refund: Refund, made_at: float) -> Refund:
    """The refund as it stood at a moment: what came later is not in the bill."""
    if refund.settled_at is not None and refund.settled_at > made_at:
        return replace(refund, status="PROCESSING", settled_at=None)
    return refund


def payment_line(order: Order) -> Line:
    """The line of a payment."""
    assert order.paid_at is not None and order.payer_total is not None
    return _common(order, order.paid_at) | {
        "交易状态": "SUCCESS",
        "应结订单金额": yuan(order.payer_total),
        "手续费": fee(fee_of(order.payer_total)),
        "订单金额": yuan(order.total),
    }


def refund_line(refund: Refund, order: Order) -> Line:
    """The line of a refund."""
    settled = "" if refund.status != "SUCCESS" or refund.settled_at is None else _at(refund.settled_at)
    return _common(order, refund.created_at) | {
        "交易状态": "REFUND",
        "退款申请时间": _at(refund.created_at),
        "退款成功时间": settled,
        "微信退款单号": refund.refund_id,
        "商户退款单号": refund.out_refund_no,
        "退款金额": yuan(refund.payer_refund),
        "退款类型": "ORIGINAL",
        "退款状态": _STATES.get(refund.status, refund.status),
        "手续费": fee(-fee_of(refund.payer_refund)),
        "申请退款金额": yuan(refund.amount),
    }


def yuan(fen: int) -> str:
    """Two decimals."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def fee(fen: int) -> str:
    """Five decimals."""
    return yuan(fen) + "000"


def _common(order: Order, at: float) -> Line:
    """What both kinds have; the amounts of the other kind are zero."""
    fields = order.fields
    return {
        "交易时间": _at(at),
        "公众账号ID": order.appid,
        "商户号": order.mchid,
        "特约商户号": "0",
        "设备号": fields.get("scene_info", {}).get("device_id", ""),
        "微信订单号": order.transaction_id or "",
        "商户订单号": order.out_trade_no,
        "用户标识": order.openid or "",
        "交易类型": order.trade_type,
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": "0.00",
        "代金券金额": "0.00",
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": "0.00",
        "充值券退款金额": "0.00",
        "退款类型": "",
        "退款状态": "",
        "商品名称": fields.get("description", ""),
        "商户数据包": fields.get("attach", ""),
        "费率": RATE_PERCENT,
        "订单金额": "0.00",
        "申请退款金额": "0.00",
        "费率备注": "",
    }


def _at(at: float) -> str:
    return datetime.fromtimestamp(int(at), BEIJING).strftime("%Y-%m-%d %H:%M:%S")
