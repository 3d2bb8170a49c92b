"""Errors of the API, with WeChat Pay's own codes and messages.

Codes and statuses: pay.weixin.qq.com/doc/v3/merchant/4012081709 and each API's page; the texts of 401
answers: 4012072670. The number at the end of `Request-ID` is the platform's internal error number; those
known are from the official trouble-shooting lists, and `UNKNOWN_NUMBER` stands for the rest.
"""

from __future__ import annotations

from typing import Any

UNKNOWN_NUMBER = 268435461

UNAUTHENTICATED = "签名信息错误，验签失败"
MALFORMED_AUTHORIZATION = "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"
WRONG_TYPE = "HTTP头Authorization认证类型不正确"
STALE_TIMESTAMP = "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"
UNKNOWN_SERIAL = "商户证书序列号有误。请使用签名私钥匹配的证书序列号"
WRONG_SIGNATURE = "签名错误"
EXPIRED_CERTIFICATE = "商户证书已过期"
REVOKED_CERTIFICATE = "商户证书已作废"


class ApiError(Exception):
    """An answer other than 2xx; sent unsigned, as WeChat Pay sends its errors."""

    def __init__(
        self, status: int, code: str, message: str, detail: Any = None, number: int = UNKNOWN_NUMBER
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.number = number

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        return body if self.detail is None else body | {"detail": self.detail}


def sign_error(message: str, detail: Any = None) -> ApiError:
    """401: the request is not known to come from a merchant."""
    return ApiError(401, "SIGN_ERROR", message, detail, 268443699)


def invalid_request(message: str, number: int = UNKNOWN_NUMBER) -> ApiError:
    """400: breaks a rule that is not one field's."""
    return ApiError(400, "INVALID_REQUEST", message, None, number)


def missing_headers() -> ApiError:
    """400: some routes insist on these two headers, before they look at the signature."""
    return invalid_request("Http头缺少Accept或User-Agent")


def param_error(message: str, field: str, location: str, value: Any = None) -> ApiError:
    """400: one parameter is wrong.

    Args:
        field: a JSON pointer for the body, a bare name for a path or query parameter.
        location: `body`, `url` or `query`.
        value: what was found there; anything but a short scalar is left out.
    """
    detail = {"field": field, "value": _shown(value), "issue": message, "location": location}
    return ApiError(400, "PARAM_ERROR", message, detail)


def unknown_fields(paths: list[str]) -> ApiError:
    """400: requests must carry documented fields only."""
    detail = {"location": None, "value": [_shown(path) for path in paths[:20]]}
    return ApiError(400, "PARAM_ERROR", "请求中含有未在API文档中定义的参数", detail, 270924358)


def mchid_mismatch(field: str, location: str, value: Any) -> ApiError:
    """400: the request is signed by one merchant and names another."""
    message = "请求参数中的mchid与Authorization中的mchid不一致"
    detail = {"field": field, "value": _shown(value), "issue": message, "location": location}
    return ApiError(400, "PARAM_ERROR", message, detail, 268447843)


def appid_mismatch() -> ApiError:
    """400: the appid is not bound to the mchid."""
    return ApiError(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，请检查后再试", None, 268445527)


def order_closed() -> ApiError:
    """400: the number was closed, or its deadline has passed."""
    return ApiError(400, "ORDER_CLOSED", "该订单已关闭", None, 268447914)


def order_paid(code: str) -> ApiError:
    """400: already paid. The code's spelling varies between reports, hence the argument."""
    return ApiError(400, code, "该订单已支付", None, 268449538)


def out_trade_no_used() -> ApiError:
    """403: the number was used with other parameters or another way of paying."""
    return ApiError(403, "OUT_TRADE_NO_USED", "201 商户订单号重复", None, 268498688)


def changed_reorder() -> ApiError:
    """400: the other answer seen for a re-order whose parameters changed."""
    return invalid_request("请求重入时，参数与首次请求时不一致", 268498688)


def order_not_exist() -> ApiError:
    """404: no such order of this merchant."""
    return ApiError(404, "ORDER_NOT_EXIST", "订单不存在", None, 268512771)


def resource_not_exists(message: str) -> ApiError:
    """404: of refunds, an order that is missing or unpaid, or a number that was never accepted."""
    return ApiError(404, "RESOURCE_NOT_EXISTS", message, None, 268512771)


def not_enough() -> ApiError:
    """403: the merchant's balance does not cover the refund; nothing is on record, the number stays free."""
    return ApiError(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")


def user_account_abnormal() -> ApiError:
    """403: the payer's account is gone, the refund must be made by other means."""
    return ApiError(403, "USER_ACCOUNT_ABNORMAL", "退款请求失败，用户帐号注销")


def trade_overdue() -> ApiError:
    """403: paid more than a year ago."""
    return ApiError(403, "TRADE_OVERDUE", "订单已经超过可退款的最大期限")


def frequency_limited(message: str) -> ApiError:
    """429: too often."""
    return ApiError(429, "FREQUENCY_LIMITED", message, None, 268447840)


def no_auth(message: str) -> ApiError:
    """403: signed well, by somebody whom this does not concern."""
    return ApiError(403, "NO_AUTH", message)


def no_statement(status: int) -> ApiError:
    """400: nothing happened that day, and the answer is final. Some clients have seen 404."""
    return ApiError(status, "NO_STATEMENT_EXIST", "账单文件不存在")


def statement_creating() -> ApiError:
    """400: the bill is being made; ask again after ten in the morning, then every half hour."""
    return ApiError(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")


def no_certificates() -> ApiError:
    """404: the merchant has the WeChat Pay public key only (pay.weixin.qq.com/doc/v3/merchant/4012076511)."""
    message = "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。"
    return ApiError(404, "RESOURCE_NOT_EXISTS", message)


def _shown(value: Any) -> Any:
    """A value as an error may repeat it: always short, always encodable."""
    if isinstance(value, str):
        return value[:200].encode("utf-8", "replace").decode()
    return value if isinstance(value, bool | int | float) else None
