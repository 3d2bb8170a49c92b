"""Verify that bytes come from WeChat Pay: answers and notifications alike, without any outbound call.

The signed text is timestamp, nonce and body, each followed by a line feed
(pay.weixin.qq.com/doc/v3/merchant/4013053249). The checks go from cheap to dear.
"""

import base64
import binascii
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from portal.gateways.base import Headers
from portal.kit import clock

_TYPE = "WECHATPAY2-SHA256-RSA2048"
_FRESH_SECONDS = 300
_TIMESTAMP = re.compile(r"\d{10}", re.ASCII)
_NONCE = re.compile(r"[\x21-\x7e]{1,128}")
_SERIAL = re.compile(r"PUB_KEY_ID_\d{10,40}|[0-9A-F]{16,40}", re.ASCII)
# WeChat sends deliberately wrong signatures that begin so, to see whether we verify.
_PROBE = "WECHATPAY/SIGNTEST/"


class NotVerified(Exception):
    """The bytes are not proven genuine; `reason` is one of a few fixed words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _header(headers: Headers, name: str, pattern: re.Pattern[str] | None = None) -> str:
    value = headers.get(f"Wechatpay-{name}", "")
    if not value or (pattern is not None and not pattern.fullmatch(value)):
        raise NotVerified(f"bad_{name.lower()}")
    return value


def verify(headers: Headers, body: bytes, keys: Mapping[str, RSAPublicKey]) -> None:
    """Check freshness (5 minutes) and signature of `body` against the key that the headers name.

    Args:
        headers: the message's headers, looked up without regard to case.
        body: the raw bytes.
        keys: the keys we hold, by exact serial or key id.

    Raises:
        NotVerified: for anything missing, malformed, stale, unknown or wrong.
    """
    if headers.get("Wechatpay-Signature-Type", _TYPE) != _TYPE:
        raise NotVerified("bad_signature_type")
    timestamp = _header(headers, "Timestamp", _TIMESTAMP)
    nonce = _header(headers, "Nonce", _NONCE)
    serial = _header(headers, "Serial", _SERIAL)
    signature = _header(headers, "Signature")
    if abs(clock.now().timestamp() - int(timestamp)) > _FRESH_SECONDS:
        raise NotVerified("stale")
    key = keys.get(serial)
    if key is None:
        raise NotVerified("unknown_serial")
    if signature.startswith(_PROBE):
        raise NotVerified("signature_probe")
    try:
        raw_signature = base64.b64decode(signature, validate=True)
        key.verify(raw_signature, f"{timestamp}\n{nonce}\n".encode() + body + b"\n", PKCS1v15(), SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        raise NotVerified("bad_signature") from None
