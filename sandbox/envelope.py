"""Notifications as bytes: an encrypted resource in a signed envelope.

Form of the body and headers: pay.weixin.qq.com/doc/v3/merchant/4012075420; encryption and signature
4013053249.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from .clock import rfc3339
from .signing import SigningKey, encrypt, signature_headers

SUMMARIES = {
    "TRANSACTION.SUCCESS": "支付成功",
    "REFUND.SUCCESS": "退款成功",
    "REFUND.ABNORMAL": "退款异常",
    "REFUND.CLOSED": "退款关闭",
    "COMPLAINT.CREATE": "产生新投诉",
    "COMPLAINT.STATE_CHANGE": "投诉单状态变化",
}


@dataclass(frozen=True)
class Envelope:
    """One notification ready to be posted."""

    headers: dict[str, str]
    body: str


def notification_body(
    *,
    event_id: str,
    event_type: str,
    created_at: float,
    resource_text: str,
    apiv3_key: str,
    outer: dict[str, Any] | None = None,
) -> str:
    """The JSON body.

    Args:
        created_at: Unix seconds, for `create_time`.
        resource_text: the plaintext of `resource`, encrypted as it is.
        outer: outer fields to set instead; None as a value removes the field.
    """
    kind = event_type.split(".")[0].lower()
    body: dict[str, Any] = {
        "id": event_id,
        "create_time": rfc3339(created_at),
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": SUMMARIES.get(event_type, event_type),
        "resource": {"original_type": kind} | encrypt(apiv3_key, resource_text, kind),
    }
    body |= outer or {}
    return json.dumps(
        {k: v for k, v in body.items() if v is not None}, ensure_ascii=False, separators=(",", ":")
    )


def seal(body: str, key: SigningKey, moment: float, manner: str = "good") -> Envelope:
    """Sign a body for one delivery; `moment` and `manner` as in `signature_headers`."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Mozilla/4.0",
        "Accept": "*/*",
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Request-ID": new_request_id(0),
    }
    return Envelope(headers | signature_headers(key, body.encode("utf-8", "replace"), moment, manner), body)


def new_request_id(number: int) -> str:
    """A `Request-ID`: upper-case hexadecimal, a dash, 0 or the internal error number."""
    return f"08{secrets.token_hex(20).upper()}-{number}"
