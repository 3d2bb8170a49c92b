"""Turning the clock and the switches."""

from __future__ import annotations

from typing import Any

from ..switches import CHOICES, MODE_SWITCHES, NUMBERS
from ..world import the_world
from .arguments import Arguments
from .blueprint import ControlError, bp

OTHER_SWITCHES = (*(name for name in CHOICES if name not in MODE_SWITCHES), *NUMBERS)
TEN_YEARS = 3653 * 86400.0


@bp.post("/clock")
def clock() -> dict[str, Any]:
    """Set the clock to real time plus `offset` seconds."""
    return clock_set(Arguments.of_request())


def clock_set(arguments: Arguments) -> dict[str, Any]:
    """Set the clock as `arguments` say."""
    world = the_world()
    offset = arguments.number("offset", least=-TEN_YEARS, most=TEN_YEARS)
    arguments.done()
    world.clock.set_offset(offset)
    world.notifications.wake()
    return {"offset": world.clock.offset, "now": world.clock.now()}


@bp.post("/mode")
def mode() -> dict[str, Any]:
    """Public key, platform certificates, or changing over; and which of two keys is in use."""
    arguments = Arguments.of_request()
    if not any(name in arguments for name in MODE_SWITCHES):
        raise ControlError(400, f"give one of {', '.join(MODE_SWITCHES)}")
    return turned(arguments, MODE_SWITCHES)


@bp.post("/switch")
def switch() -> dict[str, Any]:
    """Any of the other switches."""
    return turned(Arguments.of_request(), OTHER_SWITCHES)


def turned(arguments: Arguments, names: tuple[str, ...]) -> dict[str, Any]:
    """Turn those of the switches `names` that are in `arguments`."""
    values: dict[str, Any] = {}
    for name in names:
        if name in arguments:
            values[name] = _value(arguments, name)
    arguments.done()
    world = the_world()
    world.switches.turn(**values)
    return world.switches.all()


def _value(arguments: Arguments, name: str) -> Any:
    if name in NUMBERS:
        _, least, most = NUMBERS[name]
        return arguments.number(name, least=least, most=most)
    usual = CHOICES[name][0]
    if isinstance(usual, bool):
        return arguments.flag(name)
    if isinstance(usual, int):
        return arguments.integer(name, least=min(CHOICES[name]), most=max(CHOICES[name]))
    return arguments.text(name, choices=CHOICES[name])
