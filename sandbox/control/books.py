"""The sandbox's own books, as tests compare them with the portal's."""

from __future__ import annotations

from typing import Any

from flask import request

from ..keys import Merchant
from ..orders import Order
from ..transaction import transaction_of
from ..world import World, the_world
from .arguments import Arguments
from .blueprint import ControlError, bp

MOST_REQUESTS = 10_000


@bp.get("/state")
def state() -> dict[str, Any]:
    """Counters, clock and switches."""
    world = the_world()
    by_state = world.store.rows("SELECT state, COUNT(*) AS n FROM orders GROUP BY state")
    by_notification = world.store.rows("SELECT state, COUNT(*) AS n FROM notifications GROUP BY state")
    by_refund = world.store.rows("SELECT status, COUNT(*) AS n FROM refunds GROUP BY status")
    deliveries = world.store.row("SELECT COUNT(*) AS n FROM deliveries")
    return {
        "now": world.clock.now(),
        "clock_offset": world.clock.offset,
        "switches": world.switches.all(),
        "orders": {row["state"]: row["n"] for row in by_state},
        "refunds": {row["status"]: row["n"] for row in by_refund},
        "notifications": {row["state"]: row["n"] for row in by_notification},
        "deliveries": deliveries["n"] if deliveries else 0,
        "requests": world.requests_log.counts(),
        "faults": len(world.faults.all()),
        "chaos": world.chaos.told(),
        "merchants": {
            owner: {
                "mchid": merchant.mchid,
                "appid": merchant.appid,
                "public_key_ids": [key.serial for key in merchant.signing_keys],
            }
            for owner, merchant in (
                ("merchant", world.keys.merchant),
                ("other_merchant", world.keys.other_merchant),
            )
        },
    }


@bp.get("/orders")
def orders() -> dict[str, Any]:
    """Every order of a merchant, newest first."""
    world = the_world()
    return {"orders": [_entry(world, order) for order in world.orders.all(merchant_asked_about(world).mchid)]}


@bp.get("/orders/<out_trade_no>")
def order(out_trade_no: str) -> dict[str, Any]:
    """One order: the books, what a query would tell, and how often the merchant called about it."""
    world = the_world()
    found = world.orders.find(merchant_asked_about(world).mchid, out_trade_no)
    if found is None:
        raise ControlError(404, "no such order")
    return _entry(world, found) | {
        "calls": {"create": 0, "query": 0, "close": 0} | world.requests_log.counts(out_trade_no),
        "refunds": [
            dict(vars(refund)) | {"request": refund.fields}
            for refund in world.refunds.of_order(found.mchid, out_trade_no)
        ],
    }


@bp.post("/orders/<out_trade_no>/expire_code")
def expire_code(out_trade_no: str) -> dict[str, Any]:
    """Kill the present code_url of an order, as two hours would."""
    world = the_world()
    Arguments.of_request().done()
    changed = world.store.write(
        "UPDATE codes SET is_live = 0 WHERE mchid = ? AND out_trade_no = ?",
        merchant_asked_about(world).mchid,
        out_trade_no,
    ).rowcount
    if not changed:
        raise ControlError(404, "no such order")
    return {"expired": True}


@bp.get("/requests")
def requests() -> dict[str, Any]:
    """The log of API requests, oldest first; `limit` keeps the newest."""
    world = the_world()
    limit = request.args.get("limit", "1000")
    if not (limit.isascii() and limit.isdecimal()) or int(limit[:9]) > MOST_REQUESTS:
        raise ControlError(400, f"limit must be a whole number up to {MOST_REQUESTS}")
    log = world.requests_log
    return {"requests": log.found(request.args.get("out_trade_no"), request.args.get("route"), int(limit))}


@bp.post("/reset")
def reset() -> dict[str, Any]:
    """Forget everything but the keys."""
    Arguments.of_request().done()
    the_world().reset()
    return {"reset": True}


def merchant_asked_about(world: World) -> Merchant:
    """The merchant whose books are asked for: `?mchid=`, else the first."""
    mchid = request.args.get("mchid", world.keys.merchant.mchid)
    merchant = world.keys.merchant_of(mchid)
    if merchant is None:
        raise ControlError(400, "mchid is not one of the two merchants")
    return merchant


def _entry(world: World, order: Order) -> dict[str, Any]:
    now = world.clock.now()
    code = world.orders.newest_code(order.mchid, order.out_trade_no)
    return {
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "state": order.state,
        "trade_state": order.trade_state(now),
        "total": order.total,
        "payer_total": order.payer_total,
        "transaction_id": order.transaction_id,
        "openid": order.openid,
        "opened_by": order.opened_by,
        "created_at": order.created_at,
        "pay_until": order.pay_until,
        "paid_at": order.paid_at,
        "closed_at": order.closed_at,
        "code_url": code.code_url if code else None,
        "code_is_live": code.opens(now) if code else False,
        "request": order.fields,
        "transaction": transaction_of(order, now) if order.state != "BURNT" else None,
    }
