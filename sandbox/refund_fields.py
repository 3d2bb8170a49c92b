"""Fields of a refund (pay.weixin.qq.com/doc/v3/merchant/4013071036), and of putting an abnormal one right."""

from __future__ import annotations

from typing import Any

from . import errors
from .fields import Integer, List, Object, Rule, Text, missing
from .native_fields import LETTERS, NOTIFY_URL, OUT_TRADE_NO, check_notify_url

OUT_REFUND_NO = "[0-9A-Za-z_\\-\\|\\*\\@]+"
OUT_REFUND_NO_RULE = Text("商户退款单号", 64, 1, OUT_REFUND_NO, in_bytes=True, is_required=True)
FUNDS_ACCOUNTS = ("AVAILABLE", "UNSETTLED")
FROM_ACCOUNTS = ("AVAILABLE", "UNAVAILABLE")
DEBIT_BANKS = (
    "ICBC_DEBIT", "ABC_DEBIT", "CCB_DEBIT", "BOC_DEBIT", "COMM_DEBIT", "CMB_DEBIT", "SPDB_DEBIT", "CMBC_DEBIT",
    "CIB_DEBIT", "CEB_DEBIT", "CITIC_DEBIT", "PAB_DEBIT", "GDB_DEBIT", "PSBC_DEBIT", "NBCB_DEBIT",
)  # fmt: skip

_GOODS = Object(
    "退款商品",
    {
        "merchant_goods_id": Text("商户侧商品编码", 32, 1, LETTERS, is_required=True),
        "wechatpay_goods_id": Text("微信侧商品编码", 32),
        "goods_name": Text("商品名称", 256),
        "unit_price": Integer("商品单价", 0, is_required=True),
        "refund_amount": Integer("商品退款金额", 0, is_required=True),
        "refund_quantity": Integer("商品退货数量", 1, is_required=True),
    },
)
_FROM = Object(
    "退款出资账户及金额",
    {
        "account": Text("出资账户类型", 32, is_required=True),
        "amount": Integer("出资金额", 1, is_required=True),
    },
)
_AMOUNT: dict[str, Rule] = {
    "refund": Integer("退款金额", 1, is_required=True),
    "from": List("退款出资账户及金额", _FROM),
    "total": Integer("原订单金额", 1, is_required=True),
    "currency": Text("退款币种", 16, is_required=True),
}
REFUND = Object(
    "退款请求",
    {
        "transaction_id": Text("微信支付订单号", 32),
        "out_trade_no": Text("商户订单号", 32, 6, OUT_TRADE_NO, in_bytes=True),
        "out_refund_no": OUT_REFUND_NO_RULE,
        "reason": Text("退款原因", 80),
        "notify_url": Text("退款结果回调url", 256, 1, NOTIFY_URL),
        "funds_account": Text("退款资金来源", 32),
        "amount": Object("金额信息", _AMOUNT, is_required=True),
        "goods_detail": List("退款商品", _GOODS),
    },
)
ABNORMAL_REFUND = Object(
    "异常退款请求",
    {
        "out_refund_no": OUT_REFUND_NO_RULE,
        "type": Text("异常退款处理方式", 32, is_required=True),
        "bank_type": Text("开户银行", 16),
        "bank_account": Text("收款银行卡号", 1024),
        "real_name": Text("收款用户姓名", 1024),
    },
)


def check_refund(fields: dict[str, Any]) -> None:
    """Raise ApiError unless `fields` is a refund as the documentation allows it."""
    REFUND.check(fields, "")
    if "transaction_id" not in fields and "out_trade_no" not in fields:
        raise errors.param_error(missing("/body/transaction_id", "微信支付订单号"), "/transaction_id", "body")
    amount = fields["amount"]
    if amount["currency"] != "CNY":
        raise errors.param_error("Currency code is invalid", "/amount/currency", "body", amount["currency"])
    if amount["refund"] > amount["total"]:
        raise errors.param_error("退款金额大于原订单金额", "/amount/refund", "body", amount["refund"])
    if "funds_account" in fields:
        _check_choice(fields["funds_account"], "/funds_account", FUNDS_ACCOUNTS)
    for position, part in enumerate(amount.get("from", [])):
        _check_choice(part["account"], f"/amount/from/{position}/account", FROM_ACCOUNTS)
    if "from" in amount and sum(part["amount"] for part in amount["from"]) != amount["refund"]:
        raise errors.param_error("出资金额之和与退款金额不一致", "/amount/from", "body")
    if "notify_url" in fields:
        check_notify_url(fields["notify_url"])


def check_abnormal_refund(fields: dict[str, Any]) -> None:
    """Raise ApiError unless `fields` says whose card an abnormal refund shall go to.

    The payer's card must be described; the merchant's own is on file.
    """
    ABNORMAL_REFUND.check(fields, "")
    _check_choice(fields["type"], "/type", ("USER_BANK_CARD", "MERCHANT_BANK_CARD"))
    if "bank_type" in fields:
        _check_choice(fields["bank_type"], "/bank_type", DEBIT_BANKS)
    if fields["type"] == "USER_BANK_CARD":
        for name in ("bank_type", "bank_account", "real_name"):
            if name not in fields:
                raise errors.param_error(missing(f"/body/{name}", name), f"/{name}", "body")


def _check_choice(value: str, pointer: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise errors.param_error(f"枚举值不在取值范围内：{'、'.join(choices)}", pointer, "body", value)
