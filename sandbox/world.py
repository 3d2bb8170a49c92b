"""Everything a running sandbox consists of, put together in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import current_app

from .bank import Bank
from .bills import Bills
from .cashier import Cashier
from .chaos import Chaos
from .clock import Clock
from .complaints import Complaints
from .courier import Courier
from .faults import Faults
from .images import Images
from .keyring import Keyring
from .keys import Keys, load_or_make
from .notifications import Notifications
from .orders import Orders
from .rates import Rate
from .refunds import Refunds
from .requests_log import RequestsLog
from .store import Store
from .switches import Switches

FAILING_REFUNDS_A_SECOND = 6
"""pay.weixin.qq.com/doc/v3/merchant/4013071036; kept when the switch `refund_failing_limit` is on."""


@dataclass(frozen=True)
class World:
    """The parts, each with one job; views reach them through `the_world()`."""

    data: Path
    store: Store
    clock: Clock
    keys: Keys
    switches: Switches
    keyring: Keyring
    orders: Orders
    notifications: Notifications
    cashier: Cashier
    courier: Courier
    refunds: Refunds
    bank: Bank
    bills: Bills
    complaints: Complaints
    images: Images
    failing_refunds: Rate
    faults: Faults
    chaos: Chaos
    requests_log: RequestsLog

    def reset(self) -> None:
        """Forget orders, refunds, logs, faults, clock offset and switches; keys stay."""
        with self.store.transaction():
            self.store.wipe()
            self.clock.set_offset(0.0)
        self.switches.reload()
        self.chaos.reload()

    def start(self) -> None:
        """Begin what goes on without being asked: deliveries and refunds."""
        self.courier.start()
        self.bank.start()

    def close(self) -> None:
        """Stop delivering and settling, and close the books."""
        self.bank.stop()
        self.courier.stop()
        self.store.close()


def build_world(data: Path, *, notify_speed: float = 1.0) -> World:
    """Open the sandbox that lives in the folder `data`, making it if need be.

    Args:
        notify_speed: the waits between deliveries of a notification are divided by this.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = load_or_make(data)
    store = Store(data / "sandbox.db")
    clock, switches = Clock(store), Switches(store)
    keyring = Keyring(keys, switches)
    orders = Orders(store, clock, switches)
    faults, chaos = Faults(store), Chaos(store)
    notifications = Notifications(store, clock, keyring, faults, chaos, notify_speed)
    refunds = Refunds(store, clock, switches, orders, notifications)
    return World(
        data=data,
        store=store,
        clock=clock,
        keys=keys,
        switches=switches,
        keyring=keyring,
        orders=orders,
        notifications=notifications,
        cashier=Cashier(store, clock, switches, orders, notifications),
        courier=Courier(notifications, keys, keyring, switches, clock, faults, chaos),
        refunds=refunds,
        bank=Bank(refunds),
        complaints=Complaints(store, clock, switches, refunds, notifications),
        images=Images(store, clock),
        bills=Bills(store, clock, switches, orders, refunds),
        failing_refunds=Rate(FAILING_REFUNDS_A_SECOND),
        faults=faults,
        chaos=chaos,
        requests_log=RequestsLog(store, clock),
    )


def the_world() -> World:
    """The world of the application that is answering the current request."""
    world: World = current_app.extensions["sandbox"]
    return world
