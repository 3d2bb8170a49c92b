"""Ordering faults and taking them back."""

from __future__ import annotations

from typing import Any

from ..bill_faults import LINE_CHANGES
from ..chaos import ALL_KINDS
from ..faults import API_ROUTES, KINDS, KINDS_OF_ROUTE, ROUTES, Fault
from ..world import the_world
from .arguments import Arguments
from .blueprint import ControlError, bp

KINDS_WITH_SECONDS = ("delay", "hang", "drip", "stale")
KINDS_WITH_STATUS = ("5xx", "html")
KINDS_BEFORE_OR_AFTER = ("delay", "hang", "5xx", "429", "html", "error")


@bp.post("/faults")
def order_fault() -> tuple[dict[str, Any], int]:
    """Order a fault; answers its id."""
    return ordered(Arguments.of_request()), 201


def ordered(arguments: Arguments) -> dict[str, Any]:
    """Order the fault that `arguments` describe."""
    route = arguments.text("route", choices=ROUTES)
    kind = arguments.text("kind", choices=KINDS_OF_ROUTE.get(route, KINDS))
    out_trade_no = arguments.optional_text("out_trade_no")
    times = arguments.integer("times", least=1) if "times" in arguments else None
    details = _details(arguments, kind)
    arguments.done()
    return {"id": the_world().faults.order(route, kind, details, out_trade_no, times)}


@bp.post("/chaos")
def chaos() -> dict[str, Any]:
    """Set the random mix of faults; an empty body, or a rate of 0, ends it."""
    return mixed(Arguments.of_request())


def mixed(arguments: Arguments) -> dict[str, Any]:
    """Set the mix that `arguments` describe."""
    mix: dict[str, Any] = {
        "rate": arguments.number("rate", 0.0, least=0, most=1),
        "seed": arguments.integer("seed", 0),
        "kinds": arguments.texts("kinds", ALL_KINDS, choices=ALL_KINDS),
        "routes": arguments.texts("routes", (), choices=(*API_ROUTES, "notify")),
        "arguments": {},
    }
    for kind, given in arguments.object("arguments").items():
        if kind not in ALL_KINDS or not isinstance(given, dict):
            raise ControlError(400, "arguments must be an object of objects, by kind")
        own = Arguments(given)
        mix["arguments"][kind] = _details(own, kind)
        own.done()
    arguments.done()
    the_world().chaos.set(mix)
    return the_world().chaos.told()


@bp.get("/faults")
def list_faults() -> dict[str, Any]:
    """Every fault and how often it struck."""
    return {"faults": [_entry(fault) for fault in the_world().faults.all()]}


@bp.delete("/faults")
def clear_faults() -> dict[str, Any]:
    """Take all back."""
    return {"cleared": the_world().faults.clear()}


@bp.delete("/faults/<int:fault_id>")
def clear_fault(fault_id: int) -> dict[str, Any]:
    """Take one back."""
    if fault_id >= 2**63 or not the_world().faults.clear(fault_id):
        raise ControlError(404, "no such fault")
    return {"cleared": 1}


def _details(arguments: Arguments, kind: str) -> dict[str, Any]:
    """The kind's own arguments."""
    details: dict[str, Any] = {}
    if kind in KINDS_WITH_SECONDS and "seconds" in arguments:
        details["seconds"] = arguments.number("seconds", least=-86400, most=86400)
        if kind != "stale" and details["seconds"] < 0:
            raise ControlError(400, "seconds must not be negative")
    if kind in KINDS_WITH_STATUS and "status" in arguments:
        details["status"] = arguments.integer("status", least=500, most=599)
    if kind in KINDS_BEFORE_OR_AFTER and "processed" in arguments:
        details["processed"] = arguments.flag("processed")
    if kind == "signtest" and "short" in arguments:
        details["short"] = arguments.flag("short")
    if kind == "429" and "code" in arguments:
        details["code"] = arguments.text("code")
    if kind == "mutate":
        details["set"] = arguments.object("set")
    if kind == "error":
        details["status"] = arguments.integer("status", least=400, most=599)
        details["code"] = arguments.text("code")
        details["message"] = arguments.text("message", details["code"])
    if kind == "duplicate" and "copies" in arguments:
        details["copies"] = arguments.integer("copies", least=1, most=1000)
    if kind == "bill_line":
        details |= _line(arguments)
    if kind == "other_host" and "url" in arguments:
        details["url"] = arguments.text("url")
    if kind == "bomb" and "megabytes" in arguments:
        details["megabytes"] = arguments.integer("megabytes", least=1, most=4096)
    return details


def _line(arguments: Arguments) -> dict[str, Any]:
    """A difference planted in the bill: which line, and what becomes of it."""
    change = arguments.text("change", choices=LINE_CHANGES)
    details: dict[str, Any] = {"change": change, "number": arguments.text("number")}
    if change in ("added", "amount"):
        details["amount"] = arguments.integer("amount", least=0)
    if change == "state":
        details["state"] = arguments.text("state")
    return details


def _entry(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "route": fault.route,
        "out_trade_no": fault.out_trade_no,
        "kind": fault.kind,
        **fault.arguments,
        "times_left": fault.times_left,
        "hits": fault.hits,
    }
