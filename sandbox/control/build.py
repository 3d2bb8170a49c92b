"""Building a genuine signed notification without delivering it, right or wrong as a test wishes."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from typing import Any

from ..clock import rfc3339
from ..envelope import notification_body, seal
from ..keys import Merchant
from ..misbehaviour import mutated
from ..orders import Order
from ..payers import USUAL_PAYER
from ..signing import SigningKey
from ..transaction import DESCRIPTIONS, transaction_of
from ..world import World, the_world
from .arguments import Arguments
from .blueprint import bp

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


@bp.post("/notifications/build")
def build() -> dict[str, Any]:
    """Headers and body of a notification about an order, paid or not, known or not."""
    world, arguments = the_world(), Arguments.of_request()
    number = arguments.text("out_trade_no")
    sign = arguments.text("sign", "good", choices=SIGNS)
    key_choice = arguments.text("apiv3_key", "good", choices=("good", "wrong"))
    merchant = world.keys.other_merchant if sign == "other_merchant" else world.keys.merchant
    order = world.orders.find(merchant.mchid, number)
    resource = mutated(_resource(world, merchant, number, order), arguments.object("mutate"))
    raw_resource = arguments.raw_text("raw_resource")
    moment = world.clock.now()
    body = notification_body(
        event_id=_event_id(world, merchant, number, arguments.flag("new_event_id", False)),
        event_type=arguments.text("event_type", "TRANSACTION.SUCCESS"),
        created_at=moment,
        resource_text=_compact(resource) if raw_resource is None else _encodable(raw_resource),
        apiv3_key=merchant.apiv3_key if key_choice == "good" else secrets.token_hex(16),
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
        return SigningKey(secrets.token_hex(20).upper(), merchant.signing_key.private_key)
    if sign == "other_merchant":
        return merchant.signing_key
    return world.keyring.for_notification(merchant)


def _event_id(world: World, merchant: Merchant, number: str, is_new: bool) -> str:
    """The id of the order's notification; the same every time when there is none yet."""
    if is_new:
        return str(uuid.uuid4())
    known = world.notifications.of_order(merchant.mchid, number)
    return known[-1].id if known else str(uuid.uuid5(uuid.NAMESPACE_URL, f"{merchant.mchid}/{number}"))


def _resource(world: World, merchant: Merchant, number: str, order: Order | None) -> dict[str, Any]:
    """The order as a payment notification tells it; as if it had been paid just now if it has not been."""
    now = world.clock.now()
    if order is not None and order.state == "SUCCESS":
        return transaction_of(order, now)
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
