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
    """Deliver a notification again, now, and wait for the answers."""
    return redelivered(Arguments.of_request())


def redelivered(arguments: Arguments) -> dict[str, Any]:
    """Deliver the notification that `arguments` name again."""
    world = the_world()
    times = arguments.integer("times", 1, least=1, most=MOST_TIMES)
    parallel = arguments.integer("parallel", 1, least=1, most=MOST_PARALLEL)
    notification = _named(world, arguments)
    arguments.done()
    deliveries = world.courier.redeliver(notification, times, min(parallel, times))
    return {
        "statuses": [delivery.status for delivery in deliveries],
        "deliveries": [_delivery(delivery) for delivery in deliveries],
    }


@bp.post("/notifications/release")
def release() -> dict[str, Any]:
    """Deliver what was kept back of an order, one after the other in the sequence given."""
    return released(Arguments.of_request())


def released(arguments: Arguments) -> dict[str, Any]:
    """Deliver what was kept back of the order that `arguments` name."""
    world = the_world()
    number = arguments.text("out_trade_no")
    sequence = arguments.texts("sequence", ())
    arguments.done()
    kept = [
        notification
        for notification in world.notifications.of_order(world.keys.merchant.mchid, number)
        if notification.state == "withheld"
    ]
    chosen = [_kept(kept, name) for name in sequence] if sequence else kept
    return {
        "released": [
            {"id": n.id, "event_type": n.event_type, "status": world.courier.release(n).status}
            for n in chosen
        ]
    }


def _kept(kept: list[Notification], name: str) -> Notification:
    """The first one kept back with this id or of this event type; it is taken out of `kept`."""
    for notification in kept:
        if name in (notification.id, notification.event_type):
            kept.remove(notification)
            return notification
    raise ControlError(404, f"nothing kept back that is {name}")


def _named(world: World, arguments: Arguments) -> Notification:
    """The notification with this `id`, or the newest of a refund, or that of an order's payment."""
    mchid = world.keys.merchant.mchid
    if "id" in arguments:
        found = world.notifications.find(arguments.text("id"))
    elif "out_refund_no" in arguments:
        found = world.notifications.of_refund(mchid, arguments.text("out_refund_no"))
    else:
        found = world.notifications.of_payment(mchid, arguments.text("out_trade_no"))
    if found is None:
        raise ControlError(404, "no such notification: the order is not paid, or the refund not settled")
    return found


def _entry(world: World, notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.id,
        "event_type": notification.event_type,
        "out_refund_no": notification.out_refund_no,
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
