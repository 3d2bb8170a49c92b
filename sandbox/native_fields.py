"""Fields of a Native order (pay.weixin.qq.com/doc/v3/merchant/4012791877), and of a close."""

from __future__ import annotations

import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

from . import errors
from .clock import parse_rfc3339
from .fields import Flag, Integer, List, Object, Rule, Text

LETTERS = "[0-9a-zA-Z_\\-]+"
OUT_TRADE_NO = "[0-9a-zA-Z_\\-\\|\\*]+"
NOTIFY_URL = r"https?://([^\s/?#\[\]\@]+\@)?([^\s/?#\@:]+)(?::\d{2,5})?([^\s?#\[\]]*)"
DETAIL_BYTES = 6144

OUT_TRADE_NO_RULE = Text("商户订单号", 32, 6, OUT_TRADE_NO, in_bytes=True, is_required=True)
MCHID_RULE = Text("直连商户号", 32, is_required=True)

_GOODS = Object(
    "单品信息",
    {
        "merchant_goods_id": Text("商户侧商品编码", 32, 1, LETTERS, is_required=True),
        "wechatpay_goods_id": Text("微信支付商品编码", 32),
        "goods_name": Text("商品名称", 256),
        "quantity": Integer("商品数量", 1, is_required=True),
        "unit_price": Integer("商品单价", 0, is_required=True),
    },
)
_STORE: dict[str, Rule] = {
    "id": Text("门店编号", 32, is_required=True),
    "name": Text("门店名称", 256),
    "area_code": Text("地区编码", 32),
    "address": Text("详细地址", 512),
}
_SCENE: dict[str, Rule] = {
    "payer_client_ip": Text("用户终端IP", 45, is_required=True),
    "device_id": Text("商户端设备号", 32),
    "store_info": Object("商户门店信息", _STORE),
}
_DETAIL: dict[str, Rule] = {
    "cost_price": Integer("订单原价", 0),
    "invoice_id": Text("商品小票ID", 32),
    "goods_detail": List("单品列表", _GOODS),
}
_AMOUNT: dict[str, Rule] = {
    "total": Integer("总金额", 1, is_required=True),
    "currency": Text("货币类型", 16),
}
ORDER = Object(
    "下单请求",
    {
        "appid": Text("公众号ID", 32, is_required=True),
        "mchid": MCHID_RULE,
        "description": Text("商品描述", 127, is_required=True),
        "out_trade_no": OUT_TRADE_NO_RULE,
        "time_expire": Text("交易结束时间", 64),
        "attach": Text("附加数据", 128, in_bytes=True),
        "notify_url": Text("通知地址", 255, 1, NOTIFY_URL, is_required=True),
        "goods_tag": Text("订单优惠标记", 32),
        "support_fapiao": Flag("电子发票入口开放标识"),
        "amount": Object("订单金额", _AMOUNT, is_required=True),
        "detail": Object("优惠功能", _DETAIL),
        "scene_info": Object("场景信息", _SCENE),
        "settle_info": Object("结算信息", {"profit_sharing": Flag("是否指定分账")}),
    },
)
CLOSE = Object("关单请求", {"mchid": MCHID_RULE})


def check_order(fields: dict[str, Any]) -> None:
    """Raise ApiError unless `fields` is a Native order as the documentation allows it."""
    ORDER.check(fields, "")
    if fields["amount"].get("currency", "CNY") != "CNY":
        raise errors.param_error(
            "Currency code is invalid", "/amount/currency", "body", fields["amount"]["currency"]
        )
    if "time_expire" in fields and parse_rfc3339(fields["time_expire"]) is None:
        wanted = "yyyy-MM-DDTHH:mm:ss+TIMEZONE"
        message = f"输入源“/body/time_expire”映射到值字段“交易结束时间”格式校验失败，应为{wanted}"
        raise errors.param_error(message, "/time_expire", "body", fields["time_expire"])
    if (
        len(json.dumps(fields.get("detail"), ensure_ascii=False, separators=(",", ":")).encode())
        > DETAIL_BYTES
    ):
        raise errors.param_error(f"detail长度超过{DETAIL_BYTES}字节", "/detail", "body")
    if "scene_info" in fields:
        _check_ip(fields["scene_info"]["payer_client_ip"])
    check_notify_url(fields["notify_url"])


def _check_ip(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        pointer = "/scene_info/payer_client_ip"
        message = f"输入源“/body{pointer}”映射到值字段“用户终端IP”字符串规则校验失败，不是合法的IP地址"
        raise errors.param_error(message, pointer, "body", text) from None


def check_notify_url(url: str) -> None:
    """https and a public name, as pay.weixin.qq.com/doc/v3/merchant/4012075420 asks; loopback is let through.

    A shop under development runs on the developer's machine, so plain http is allowed to that machine only.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise errors.param_error("无效的notify_url", "/notify_url", "body", url) from None
    if is_loopback(host):
        return
    if parts.scheme != "https":
        raise errors.param_error("notify_url必须为https", "/notify_url", "body", url)
    try:
        is_public = ipaddress.ip_address(host).is_global
    except ValueError:
        is_public = True
    if not is_public or not host:
        raise errors.param_error("notify_url必须为外网可访问的地址", "/notify_url", "body", url)


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
