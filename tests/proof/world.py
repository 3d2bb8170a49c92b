"""The world of the state machine: what all its examples share, the model's books, and what may go wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask

from portal.kit import faults
from portal.tools import Tools
from tests.support.shop import Shop

COURSES = ("cpp-primer-5th", "javascript-complete", "react-complete")
# What a gateway may do to a call. A drip and a hang end like a drop, ten seconds later.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "drop"},
    {"kind": "accept_then_drop"},
    {"kind": "5xx"},
    {"kind": "5xx", "processed": True},
    {"kind": "429"},
    {"kind": "html"},
    {"kind": "unsigned"},
    {"kind": "bad_signature"},
    {"kind": "signtest"},
    {"kind": "bad_serial"},
    {"kind": "stale"},
    {"kind": "pay_first"},
    {"kind": "mutate", "set": {"code_url": "https://elsewhere.example/pay"}},
    {"kind": "error", "status": 400, "code": "ORDERPAID"},
    {"kind": "error", "status": 400, "code": "ORDER_CLOSED"},
)
# What is wrong with a notification, and the answers it may get.
WRONG: tuple[tuple[dict[str, Any], set[int]], ...] = (
    ({"sign": "bad"}, {401}),
    ({"sign": "none"}, {401}),
    ({"sign": "signtest"}, {401}),
    ({"sign": "unknown_serial"}, {401}),
    ({"timestamp_offset": -400}, {401}),
    ({"timestamp_offset": 400}, {401}),
    ({"apiv3_key": "wrong"}, {503}),
    ({"mutate": {"amount.total": 1}, "new_event_id": True}, {200}),
    ({"mutate": {"amount.currency": "USD"}, "new_event_id": True}, {200}),
    ({"mutate": {"mchid": "1900000001"}, "new_event_id": True}, {200}),
    ({"mutate": {"out_trade_no": "LBT26112400NOSUCHNUMBER"}, "new_event_id": True}, {200}),
    ({"mutate": {"trade_state": "NOTPAY"}, "new_event_id": True}, {200}),
    ({"raw_resource": "[]", "new_event_id": True}, {200}),
)
POINTS = sorted(faults.POINTS)
STEPS = (1, 6, 31, 130, 650, 3700, 7300)
PRICES = (1, 9900, 12900)


class FrozenClock:
    """A clock that stands still between its steps, so that an example is the same each time."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.begin()

    def begin(self) -> None:
        """Stand at the present moment, as the sandbox does after its reset."""
        self._base, self._offset = datetime.now(UTC), timedelta(0)

    def now(self) -> datetime:
        """Return the moment."""
        return self._base + self._offset

    def sleep(self, _seconds: float) -> None:
        """Wait no time at all."""

    def travel(self, *, seconds: float) -> None:
        """Go on, here and at WeChat."""
        self._offset += timedelta(seconds=seconds)
        self._shop.sandbox.control("POST", "/control/clock", {"offset": self._offset.total_seconds()})


@dataclass
class World:
    """What all examples share. `begin` empties it."""

    app: Flask
    shop: Shop
    clock: FrozenClock
    begin: Callable[[], None]
    note: Path

    @property
    def tools(self) -> Tools:
        """The portal's equipment."""
        tools: Tools = self.app.extensions["portal_tools"]
        return tools


@dataclass
class Bought:
    """An order as the model knows it: whose, for what, at which price."""

    buyer: int
    course: str
    price_fen: int


@dataclass
class Model:
    """The model's books."""

    prices: dict[str, int] = field(default_factory=dict)
    orders: dict[str, Bought] = field(default_factory=dict)
    keys: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    may_pay_unseen: bool = False
