"""The log of deliveries, and delivering again."""

from __future__ import annotations

from typing import Any

from flask import request

from ..notifications import Delivery, Notification
from ..world import World, the_world
from .arguments import Arguments
from .blueprint import ControlError, bp

MOST_TIMES = 2000
MOST_PARALLEL = 128


@bp.get("/notifications")
def notifications() -> dict[str, Any]:
    """Notifications about one order, with every delivery."""
    world = the_world()
    number = request.args.get("out_trade_no")
    if not number:
        raise ControlError(400, "out_trade_no is missing")
    mchid = request.args.get("mchid", world.keys.merchant.mchid)
    found = world.notifications.of_order(mchid, number)
    return {"notifications": [_entry(world, notification) for notification in found]}


@bp.post("/notifications/redeliver")
def redeliver() -> dict[str, Any]:
    """Deliver the notification of an order again, now, and wait for the answers."""
    world, arguments = the_world(), Arguments.of_request()
    number = arguments.text("out_trade_no")
    times = arguments.integer("times", 1, least=1, most=MOST_TIMES)
    parallel = arguments.integer("parallel", 1, least=1, most=MOST_PARALLEL)
    arguments.done()
    found = world.notifications.of_order(world.keys.merchant.mchid, number)
    if not found:
        raise ControlError(404, "no notification about this order: it has not been paid")
    deliveries = world.courier.redeliver(found[-1], times, min(parallel, times))
    return {
        "statuses": [delivery.status for delivery in deliveries],
        "deliveries": [_delivery(delivery) for delivery in deliveries],
    }


def _entry(world: World, notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.id,
        "event_type": notification.event_type,
        "notify_url": notification.notify_url,
        "state": notification.state,
        "attempts": notification.attempts,
        "due_at": notification.due_at,
        "created_at": notification.created_at,
        "body": notification.body,
        "deliveries": [_delivery(d) for d in world.notifications.deliveries_of(notification.id)],
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return dict(vars(delivery)) | {"is_accepted": delivery.is_accepted}
