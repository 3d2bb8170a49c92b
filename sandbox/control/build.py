"""Building a genuine signed notification without delivering it, right or wrong as a test wishes."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass, replace
from typing import Any

from ..clock import rfc3339
from ..envelope import notification_body, seal
from ..keys import Merchant
from ..orders import Order
from ..payers import USUAL_PAYER
from ..refund import notified_refund_of
from ..signing import SigningKey
from ..spoiling import mutated
from ..transaction import DESCRIPTIONS, payment_of
from ..world import World, the_world
from .arguments import Arguments
from .blueprint import ControlError, bp

SIGNS = (
    "good",
    "bad",
    "signtest",
    "signtest_short",
    "unknown_serial",
    "certificate",
    "other_merchant",
    "none",
)
TEN_YEARS = 3653 * 86400.0


@dataclass(frozen=True)
class Subject:
    """What a notification is about."""

    event_type: str
    resource: dict[str, Any]
    event_id: str


@bp.post("/notifications/build")
def build() -> dict[str, Any]:
    """Headers and body of a notification about an order, paid or not, known or not; or about a refund."""
    world, arguments = the_world(), Arguments.of_request()
    sign = arguments.text("sign", "good", choices=SIGNS)
    key_choice = arguments.text("apiv3_key", "good", choices=("good", "wrong"))
    merchant = world.keys.other_merchant if sign == "other_merchant" else world.keys.merchant
    subject = _subject(world, merchant, arguments)
    resource = mutated(subject.resource, arguments.object("mutate"))
    raw_resource = arguments.raw_text("raw_resource")
    moment = world.clock.now()
    body = notification_body(
        event_id=str(uuid.uuid4()) if arguments.flag("new_event_id", False) else subject.event_id,
        event_type=arguments.text("event_type", subject.event_type),
        created_at=moment,
        resource_text=_compact(resource) if raw_resource is None else _encodable(raw_resource),
        apiv3_key=world.keyring.apiv3_key(merchant.mchid) if key_choice == "good" else secrets.token_hex(16),
        outer=arguments.object("outer"),
    )
    raw_body = arguments.raw_text("raw_body")
    moment += arguments.number("timestamp_offset", 0.0, least=-TEN_YEARS, most=TEN_YEARS)
    arguments.done()
    manner = sign if sign in ("bad", "signtest", "signtest_short", "none") else "good"
    envelope = seal(
        _encodable(body if raw_body is None else raw_body), _key(world, merchant, sign), moment, manner
    )
    return {"headers": envelope.headers, "body": envelope.body}


def _key(world: World, merchant: Merchant, sign: str) -> SigningKey:
    if sign == "certificate":
        return world.keyring.signing_certificate()
    if sign == "unknown_serial":
        return SigningKey(secrets.token_hex(20).upper(), merchant.signing_keys[0].private_key)
    if sign == "other_merchant":
        return merchant.signing_keys[0]
    return world.keyring.for_notification(merchant)


def _subject(world: World, merchant: Merchant, arguments: Arguments) -> Subject:
    """What is told: of a refund when `out_refund_no` is given, else of a payment."""
    if "out_refund_no" in arguments:
        return _of_refund(world, merchant, arguments)
    number = arguments.text("out_trade_no")
    known = world.notifications.of_payment(merchant.mchid, number)
    resource = _resource(world, merchant, number, world.orders.find(merchant.mchid, number))
    return Subject("TRANSACTION.SUCCESS", resource, known.id if known else _lasting_id(merchant, number))


def _of_refund(world: World, merchant: Merchant, arguments: Arguments) -> Subject:
    """A refund as its notification tells it; `refund_status` chooses another end than it has."""
    number = arguments.text("out_refund_no")
    refund = world.refunds.find(merchant.mchid, number)
    if refund is None:
        raise ControlError(404, "no such refund")
    status = refund.status if refund.status != "PROCESSING" else "SUCCESS"
    status = arguments.text("refund_status", status, choices=("SUCCESS", "ABNORMAL", "CLOSED"))
    told = replace(refund, status=status, settled_at=refund.settled_at or world.clock.now())
    known = world.notifications.of_refund(merchant.mchid, number)
    event_type = f"REFUND.{status}"
    is_known = known is not None and known.event_type == event_type
    return Subject(
        event_type,
        notified_refund_of(told, world.orders.placed(refund.mchid, refund.out_trade_no)),
        known.id if known and is_known else _lasting_id(merchant, f"{number}/{status}"),
    )


def _lasting_id(merchant: Merchant, number: str) -> str:
    """An event id that is the same every time."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{merchant.mchid}/{number}"))


def _resource(world: World, merchant: Merchant, number: str, order: Order | None) -> dict[str, Any]:
    """The order as a payment notification tells it; as if it had been paid just now if it has not been."""
    now = world.clock.now()
    if order is not None and order.state == "SUCCESS":
        return payment_of(order, now)
    total = order.total if order else 1
    return {
        "appid": merchant.appid,
        "mchid": merchant.mchid,
        "out_trade_no": number,
        "transaction_id": _transaction_id(merchant.mchid, number),
        "trade_type": "NATIVE",
        "trade_state": "SUCCESS",
        "trade_state_desc": DESCRIPTIONS["SUCCESS"],
        "bank_type": "OTHERS",
        "attach": order.fields.get("attach", "") if order else "",
        "success_time": rfc3339(now),
        "payer": {"openid": USUAL_PAYER},
        "amount": {"total": total, "payer_total": total, "currency": "CNY", "payer_currency": "CNY"},
    }


def _transaction_id(mchid: str, number: str) -> str:
    """28 digits that depend on the order number alone."""
    digits = int(hashlib.sha256(f"{mchid}/{number}".encode("utf-8", "replace")).hexdigest(), 16)
    return f"42000{digits % 10**23:023d}"


def _compact(resource: dict[str, Any]) -> str:
    return _encodable(json.dumps(resource, ensure_ascii=False, separators=(",", ":")))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
