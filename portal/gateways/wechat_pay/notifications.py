"""Read payments, refunds and news of complaints from what WeChat Pay sends: a notification's resource, or the answer to a call."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.gateways.base import (
    NotificationSealed,
    PaymentNotice,
    PaymentState,
    RefundNotice,
    RefundState,
    VerifiedNotification,
)
from portal.gateways.complaints import ComplaintNotice
from portal.kit import strict_json

GATEWAY = "wechat_pay"
COMPLAINT_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
# USERPAYING and PAYERROR belong to payment codes, not to Native; if they come, the learner may still pay.
# REFUND means that something was given back, so it had been paid (merchant/4012791858).
_STATES = {
    "SUCCESS": PaymentState.PAID,
    "REFUND": PaymentState.PAID,
    "NOTPAY": PaymentState.PENDING,
    "USERPAYING": PaymentState.PENDING,
    "PAYERROR": PaymentState.PENDING,
    "CLOSED": PaymentState.CLOSED,
    "REVOKED": PaymentState.CLOSED,
}

_REFUND_STATES = {
    "SUCCESS": RefundState.SUCCESS,
    "PROCESSING": RefundState.PROCESSING,
    "ABNORMAL": RefundState.ABNORMAL,
    "CLOSED": RefundState.CLOSED,
}


class UnexpectedShape(ValueError):
    """A genuine message that is not what the documentation says; `args[0]` names the field."""


def _text(fields: Mapping[str, Any], name: str, longest: int = 128) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or len(value) > longest or not value.isascii():
        raise UnexpectedShape(name)
    return value


def moment_of(value: object) -> datetime | None:
    """Return a moment as WeChat writes them (RFC 3339), None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def read_payment(fields: object, secret: bytes) -> PaymentNotice:
    """Translate an order as WeChat describes it.

    Args:
        fields: the decrypted resource, or the verified answer to a query.
        secret: what the payer's openid is hashed with; the openid itself is not kept.

    Raises:
        UnexpectedShape: when a field is missing or not of its kind.
    """
    if not isinstance(fields, dict):
        raise UnexpectedShape("object")
    state = _STATES.get(str(fields.get("trade_state")))
    if state is None:
        raise UnexpectedShape("trade_state")
    notice = PaymentNotice(
        gateway=GATEWAY,
        mchid=_text(fields, "mchid", 32),
        appid=_text(fields, "appid", 32),
        out_trade_no=_text(fields, "out_trade_no", 32),
        state=state,
    )
    if state is not PaymentState.PAID:
        return notice
    return _with_payment(notice, fields, secret)


def _with_payment(notice: PaymentNotice, fields: dict[str, Any], secret: bytes) -> PaymentNotice:
    amount = fields.get("amount")
    if not isinstance(amount, dict) or type(amount.get("total")) is not int:
        raise UnexpectedShape("amount.total")
    payer = fields.get("payer")
    openid = payer.get("openid") if isinstance(payer, dict) else None
    return PaymentNotice(
        gateway=notice.gateway,
        mchid=notice.mchid,
        appid=notice.appid,
        out_trade_no=notice.out_trade_no,
        state=notice.state,
        transaction_id=_text(fields, "transaction_id", 32),
        trade_type=_text(fields, "trade_type", 16),
        amount_fen=amount["total"],
        currency=_text(amount, "currency", 16),
        paid_at=moment_of(fields.get("success_time")),
        payer_hash=hmac.new(secret, openid.encode(), hashlib.sha256).hexdigest()
        if isinstance(openid, str)
        else None,
        has_refund=fields["trade_state"] == "REFUND",
    )


def read_refund(fields: object, mchid: str | None, state_name: str) -> RefundNotice:
    """Translate a refund as WeChat describes it (merchant/4013071036, merchant/4013071196).

    Args:
        fields: the decrypted resource, or the verified answer to a call.
        mchid: whose refund it is, where the fields do not tell; None reads it from them.
        state_name: the field of the state: `status` in answers, `refund_status` in notifications.

    Raises:
        UnexpectedShape: when a field is missing or not of its kind.
    """
    if not isinstance(fields, dict):
        raise UnexpectedShape("object")
    state = _REFUND_STATES.get(str(fields.get(state_name)))
    if state is None:
        raise UnexpectedShape(state_name)
    amount = fields.get("amount")
    if not isinstance(amount, dict):
        raise UnexpectedShape("amount")
    account = fields.get("user_received_account")
    return RefundNotice(
        gateway=GATEWAY,
        mchid=mchid or _text(fields, "mchid", 32),
        out_refund_no=_text(fields, "out_refund_no", 64),
        state=state,
        refund_id=_text(fields, "refund_id", 32),
        out_trade_no=_text(fields, "out_trade_no", 32),
        transaction_id=_text(fields, "transaction_id", 32),
        amount_fen=_fen(amount, "refund"),
        total_fen=_fen(amount, "total"),
        currency=_text(amount, "currency", 16) if "currency" in amount else None,
        succeeded_at=moment_of(fields.get("success_time")),
        account=account[:64] if isinstance(account, str) and account.isprintable() else None,
    )


def read_complaint_news(fields: object) -> ComplaintNotice:
    """Translate what WeChat tells of a complaint: which one, and a word for what happened.

    Raises:
        UnexpectedShape: when a field is missing or not of its kind.
    """
    if not isinstance(fields, dict):
        raise UnexpectedShape("object")
    complaint_id = _text(fields, "complaint_id", 64)
    if not COMPLAINT_ID.fullmatch(complaint_id):
        raise UnexpectedShape("complaint_id")
    return ComplaintNotice(GATEWAY, complaint_id, _text(fields, "action_type", 64))


def _read(event_type: str, fields: object, secret: bytes) -> PaymentNotice | RefundNotice | ComplaintNotice:
    if event_type.startswith("REFUND."):
        return read_refund(fields, None, "refund_status")
    if event_type.startswith("COMPLAINT."):
        return read_complaint_news(fields)
    return read_payment(fields, secret)


def _fen(amount: Mapping[str, Any], name: str) -> int:
    value = amount.get(name)
    if type(value) is not int or value < 1:
        raise UnexpectedShape(f"amount.{name}")
    return value


def decrypt(resource: Mapping[str, Any], apiv3_key: bytes) -> bytes:
    """Open an AES-256-GCM resource.

    Raises:
        NotificationSealed: when our key does not open it.
        UnexpectedShape: when a field is missing or the algorithm is another.
    """
    if resource.get("algorithm") != "AEAD_AES_256_GCM":
        raise UnexpectedShape("resource.algorithm")
    associated = resource.get("associated_data") or ""
    if not isinstance(associated, str) or not isinstance(resource.get("ciphertext"), str):
        raise UnexpectedShape("resource.ciphertext")

    try:
        sealed = base64.b64decode(resource["ciphertext"], validate=True)
        return AESGCM(apiv3_key).decrypt(_text(resource, "nonce", 32).encode(), sealed, associated.encode())
    except (binascii.Error, UnexpectedShape, ValueError):
        raise UnexpectedShape("resource") from None
    except InvalidTag:
        raise NotificationSealed("the APIv3 key does not open it") from None


def read_notification(body: bytes, apiv3_key: bytes) -> VerifiedNotification:
    """Read a notification whose signature has been verified.

    What is genuine and not to be understood comes back with `problem` set, so that it is kept for a person.

    Raises:
        NotificationSealed: when the resource does not open with our key.
    """
    text = body.decode("utf-8", "replace")
    unreadable_id = "sha256:" + hashlib.sha256(body).hexdigest()[:48]
    try:
        outer = strict_json.loads(body)
    except strict_json.BadJson:
        return VerifiedNotification(GATEWAY, unreadable_id, "", text, None, "not JSON")
    try:
        if not isinstance(outer, dict):
            raise UnexpectedShape("object")
        event_id, event_type = _text(outer, "id", 64), _text(outer, "event_type", 32)
    except UnexpectedShape as error:
        return VerifiedNotification(GATEWAY, unreadable_id, "", text, None, f"unexpected {error}")
    if not event_type.startswith(("TRANSACTION.", "REFUND.", "COMPLAINT.")):
        return VerifiedNotification(GATEWAY, event_id, event_type, text, None, "unknown event type")
    try:
        resource = outer.get("resource")
        if not isinstance(resource, dict):
            raise UnexpectedShape("resource")
        fields = strict_json.loads(decrypt(resource, apiv3_key))
        notice = _read(event_type, fields, apiv3_key)
    except (UnexpectedShape, strict_json.BadJson) as error:
        return VerifiedNotification(GATEWAY, event_id, event_type, text, None, f"unexpected {error}")
    return VerifiedNotification(GATEWAY, event_id, event_type, text, notice)
