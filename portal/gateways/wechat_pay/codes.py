"""What WeChat Pay's error codes mean to us.

Error answers carry no signature, so a code never changes a state by itself. The same code is spelled with
and without underscores; they are compared without (pay.weixin.qq.com/doc/v3/merchant/4012081709).
"""

from typing import NoReturn

from portal.gateways.base import GatewayRejected, GatewayUnknown, NumberSpent

_OUR_MISTAKE = frozenset({"PARAMERROR", "APPIDMCHIDNOTMATCH", "MCHNOTEXISTS", "NOAUTH", "ACCOUNTERROR"})
# A refund that is refused for good, or until a person acts (merchant/4013071036). Asking again is safe, because
# the number is the same.
_NO_REFUND = frozenset(
    {
        "INVALIDREQUEST",
        "NOTENOUGH",
        "USERACCOUNTABNORMAL",
        "RESOURCENOTEXISTS",
        "TRADEOVERDUE",
        "REFUNDFEEMISMATCH",
    }
)
# "Parameters differ from the first request" comes as OUT_TRADE_NO_USED or as INVALID_REQUEST.
_SPENT = {
    "create": frozenset({"ORDERCLOSED", "OUTTRADENOUSED", "ORDERPAID", "INVALIDREQUEST", "RULELIMIT"}),
    "close": frozenset(
        {"ORDERPAID", "ORDERCLOSED", "ORDERNOTEXIST", "TRADEERROR", "RULELIMIT", "INVALIDREQUEST"}
    ),
}
# An act on a complaint that its state does not allow, or a complaint that there is not.
_NO_ACT = frozenset({"INVALIDREQUEST", "RESOURCENOTEXISTS", "RESOURCEALREADYEXISTS"})
_REFUSED = {"refund": _NO_REFUND, "complaint": _NO_ACT}
NOT_FOUND = "ORDERNOTEXIST"
REFUND_NOT_FOUND = "RESOURCENOTEXISTS"
NO_BILL = "NOSTATEMENTEXIST"
BILL_NOT_READY = "STATEMENTCREATING"


def plain(code: object) -> str:
    """Return a code without underscores, empty for what is no code."""
    return code.replace("_", "") if isinstance(code, str) else ""


def raise_for(call: str, status: int, code: object, retry_after: str | None) -> NoReturn:
    """Raise what an error answer means for `call` (create, query, close, refund, bill, complaint).

    401 (SIGN_ERROR), 429, 5xx, TRADE_ERROR of a query and everything unheard-of are UNKNOWN: they pass, or
    a person mends our settings, and the same call is made again under the same number.

    Raises:
        GatewayRejected, GatewayUnknown, NumberSpent.
    """
    word = plain(code)
    reason = f"{status} {word or 'no code'}"[:60]
    if 400 <= status < 500 and status not in (401, 429):
        if word in _SPENT.get(call, ()):
            raise NumberSpent(reason)
        if word in _OUR_MISTAKE or word in _REFUSED.get(call, ()):
            raise GatewayRejected(reason)
    seconds = int(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
    raise GatewayUnknown(reason, min(seconds, 600) if seconds else None)
