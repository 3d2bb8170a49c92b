"""Sensitive fields: RSAES-OAEP with SHA-1, base64 (pay.weixin.qq.com/doc/v3/merchant/4013053257).

Upwards they are encrypted with the platform key that `Wechatpay-Serial` names, downwards with the key of the
merchant's API certificate.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1

from . import errors
from .call import Call
from .keys import Merchant
from .world import World

# SHA-1 is what the gateway's guide and all official code use here.
_PADDING = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
NO_SERIAL = "HTTP header缺少微信支付平台证书序列号(Wechatpay-Serial)"
WRONG_SERIAL = "平台证书序列号Wechatpay-Serial错误"


def decrypted(world: World, merchant: Merchant, call: Call, fields: dict[str, Any], name: str) -> str | None:
    """The plaintext of a field, None when the field is not there.

    Raises:
        ApiError: 400, no serial or one the merchant does not hold, or another ciphertext than it should be.
    """
    if name not in fields:
        return None
    serial = call.headers.get("Wechatpay-Serial", "")
    if not serial:
        raise errors.invalid_request(NO_SERIAL)
    key = world.keyring.named(merchant, serial)
    if key is None:
        raise errors.param_error(WRONG_SERIAL, "Wechatpay-Serial", "header", serial)
    try:
        plaintext = key.private_key.decrypt(base64.b64decode(fields[name], validate=True), _PADDING)
        return plaintext.decode("utf-8")
    except (binascii.Error, ValueError):
        raise errors.param_error(f"敏感字段{name}解密失败", f"/{name}", "body") from None


def encrypted(merchant: Merchant, plaintext: str) -> str:
    """A field for the merchant's eyes only."""
    return base64.b64encode(merchant.request_key.encrypt(plaintext.encode(), _PADDING)).decode()
