"""The page of faults: what the control API does, for a person.

Its forms are read into the same arguments as a control request, so that both obey the same rules.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from .control.arguments import Arguments
from .control.blueprint import ControlError
from .control.faults import mixed, ordered
from .control.notifications import redelivered, released
from .control.refunds import made_by_hand, settled
from .control.turns import OTHER_SWITCHES, clock_set, turned
from .faults import KINDS_OF_ROUTE, ROUTES
from .faults_words import words
from .pages import choose_language, other_language_address, remember_language
from .switches import CHOICES, MODE_SWITCHES, NUMBERS
from .world import the_world

MOST_SHOWN = 20
ALL_KINDS = tuple(
    dict.fromkeys(kind for route in ROUTES for kind in KINDS_OF_ROUTE.get(route, KINDS_OF_ROUTE["bill"]))
)
TEXTS = ("out_trade_no", "out_refund_no", "route", "kind", "outcome", "id", "reason", "mode")
"""Fields that are text even when they look like numbers."""

bp = Blueprint("faults", __name__, url_prefix="/faults")
bp.before_request(choose_language)
bp.after_request(remember_language)


@bp.get("", strict_slashes=False)
def home() -> str:
    """Everything that can be turned, and what is turned now."""
    return _page()


@bp.post("/<action>")
def act(action: str) -> AnyResponse | tuple[str, int]:
    """Do one thing, then show the page again."""
    if action not in ACTIONS:
        return _page(error=words(g.language)["unknown_action"]), 404
    try:
        ACTIONS[action](_fields())
    except ControlError as refusal:
        return _page(error=refusal.body.get("message", refusal.body["error"])), refusal.status
    return redirect(url_for(".home", done="1"), 303)


def _take_back(fields: dict[str, Any]) -> None:
    the_world().faults.clear(fields.get("fault_id"))


def _turn(fields: dict[str, Any]) -> None:
    for names in (MODE_SWITCHES, OTHER_SWITCHES):
        values = {name: fields[name] for name in names if name in fields}
        turned(Arguments(values), names)


def _settle(fields: dict[str, Any]) -> None:
    settled(str(fields.pop("out_refund_no", "")), Arguments(fields))


ACTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "order": lambda fields: ordered(Arguments(fields)),
    "take-back": _take_back,
    "chaos": lambda fields: mixed(Arguments(fields)),
    "turn": _turn,
    "clock": lambda fields: clock_set(Arguments(fields)),
    "redeliver": lambda fields: redelivered(Arguments(fields)),
    "release": lambda fields: released(Arguments(fields)),
    "settle": _settle,
    "console-refund": lambda fields: made_by_hand(Arguments(fields)),
}


def _fields() -> dict[str, Any]:
    """The form as a control request would have it: empty fields left out, `more` as further fields."""
    fields: dict[str, Any] = {}
    for name in request.form:
        given = [value.strip() for value in request.form.getlist(name) if value.strip()]
        if name == "more" and given:
            fields |= _more(given[0])
        elif name in ("kinds", "sequence"):
            fields |= {name: [item.strip() for item in ",".join(given).split(",")]} if given else {}
        elif given:
            fields[name] = given[-1] if name in TEXTS else _value(name, given[-1])
    return fields


def _more(text: str) -> dict[str, Any]:
    try:
        more = json.loads(text)
    except (ValueError, RecursionError):
        more = None
    if not isinstance(more, dict):
        raise ControlError(400, words(g.language)["more_is_no_json"])
    return more


def _value(name: str, text: str) -> Any:
    """A truth, a number or a text, as the field has it."""
    if text in ("true", "false"):
        return text == "true"
    if isinstance(CHOICES.get(name, ("",))[0], str) and name in CHOICES:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _page(error: str = "") -> str:
    world = the_world()
    mchid = world.keys.merchant.mchid
    refunds = world.refunds.all(mchid)[::-1][:MOST_SHOWN]
    return render_template(
        "faults/home.html",
        words=words(g.language),
        language=g.language,
        other_language_address=other_language_address(".home"),
        error=error,
        is_done="done" in request.args and not error,
        routes=ROUTES,
        kinds=ALL_KINDS,
        faults=world.faults.all(),
        chaos=world.chaos.told(),
        switches=world.switches.all(),
        choices=CHOICES,
        numbers=NUMBERS,
        offset=world.clock.offset,
        now=world.clock.now(),
        notifications=world.notifications.newest(mchid, MOST_SHOWN),
        refunds=refunds,
    )
