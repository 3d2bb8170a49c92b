"""Who is asking: the `Authorization` header of a request, checked in the order the gateway checks it.

Some routes look for `Accept` and `User-Agent` first; then the header is parsed, then its timestamp compared
with the clock, then the signature verified (pay.weixin.qq.com/doc/v3/merchant/4012365342, texts 4012072670).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import errors
from .call import Call
from .keys import Keys, Merchant
from .signing import SIGNATURE_TYPE, is_signed, signed_text

WINDOW_SECONDS = 300
_PAIR = re.compile(r'([a-z_]+)="([^"]*)"')
_FIELDS = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}
_CERTIFICATE_TROUBLE = {"expired": errors.EXPIRED_CERTIFICATE, "revoked": errors.REVOKED_CERTIFICATE}


@dataclass(frozen=True)
class Authorization:
    """The five values of a well-formed header."""

    mchid: str
    nonce_str: str
    signature: str
    timestamp: str
    serial_no: str


def check_authorization(call: Call, keys: Keys, now: float, certificate_state: str) -> Merchant:
    """The merchant that signed `call`.

    Args:
        now: the sandbox's Unix seconds.
        certificate_state: `valid`, or `expired` or `revoked` to answer as if the first merchant's API
            certificate were.

    Raises:
        ApiError: 400 or 401 with the gateway's text.
    """
    if call.needs_user_agent and not (call.headers.get("Accept") and call.headers.get("User-Agent")):
        raise errors.missing_headers()
    found = parse(call)
    if not found.timestamp.isdecimal() or abs(now - int(found.timestamp)) > WINDOW_SECONDS:
        raise errors.sign_error(errors.STALE_TIMESTAMP)
    merchant = keys.merchant_of(found.mchid)
    if merchant is None or merchant.cert_serial_no != found.serial_no:
        raise errors.sign_error(errors.UNKNOWN_SERIAL)
    if merchant is keys.merchant and certificate_state in _CERTIFICATE_TROUBLE:
        raise errors.sign_error(_CERTIFICATE_TROUBLE[certificate_state])
    text = _text_of(call, found)
    if not is_signed(merchant.request_key, text, found.signature):
        raise errors.sign_error(errors.WRONG_SIGNATURE, _mismatch(call, text))
    return merchant


def parse(call: Call) -> Authorization:
    """Split the header: type, one space, five quoted pairs in any order, commas without spaces."""
    kind, _, rest = call.headers.get("Authorization", "").partition(" ")
    is_transaction = call.target.startswith(b"/v3/pay/transactions/")
    malformed = errors.UNAUTHENTICATED if is_transaction else errors.MALFORMED_AUTHORIZATION
    if not rest or (is_transaction and not kind.startswith("WECHATPAY2-")):
        raise errors.sign_error(malformed)
    if kind != SIGNATURE_TYPE:
        raise errors.sign_error(errors.WRONG_TYPE)
    pairs = [_PAIR.fullmatch(part) for part in rest.split(",")]
    values = {pair[1]: pair[2] for pair in pairs if pair}
    if len(pairs) != len(_FIELDS) or values.keys() != _FIELDS or not all(values.values()):
        raise errors.sign_error(malformed)
    if not values["timestamp"].isascii() or len(values["timestamp"]) > 12:
        raise errors.sign_error(malformed)
    return Authorization(**values)


def _text_of(call: Call, found: Authorization) -> bytes:
    head = (call.method.encode(), call.target, found.timestamp.encode(), found.nonce_str.encode("latin-1"))
    return signed_text(*head, call.signed_body())


def _mismatch(call: Call, text: bytes) -> dict[str, object]:
    """What the gateway tells about a signature that does not fit: the beginning of its own text."""
    shown = text[: max(0, len(text) - len(call.signed_body()) - 1) + 4].decode("utf-8", "replace")
    return {
        "detail": {"issue": "sign not match"},
        "field": "signature",
        "location": "authorization",
        "sign_information": {
            "method": call.method,
            "sign_message_length": len(text),
            "truncated_sign_message": shown,
            "url": call.target.decode("utf-8", "replace"),
        },
    }
