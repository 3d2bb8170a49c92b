"""Notifications in the books: recorded with the fact they tell of, due until answered or given up.

After each failure the next delivery comes 15 s, 15 s, 30 s, 3 min, 10 min, 20 min, 30 min, 30 min, 30 min, 60
min, 3 h, 3 h, 3 h, 6 h, 6 h later: sixteen deliveries in all (pay.weixin.qq.com/doc/v3/merchant/4012075420).
"""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from .chaos import Chaos
from .clock import Clock
from .envelope import notification_body
from .faults import BORN_KINDS, Faults
from .keyring import Keyring
from .spoiling import content_of
from .store import Store

RETRY_SECONDS = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)


@dataclass(frozen=True)
class Event:
    """Something a merchant is told of: `resource` in clear, and where to."""

    event_type: str
    mchid: str
    out_trade_no: str
    notify_url: str
    resource: dict[str, Any]
    out_refund_no: str | None = None


@dataclass(frozen=True)
class Notification:
    """A row of the books. `state`: pending, delivered, given_up, or withheld (never to be sent by itself)."""

    id: str
    mchid: str
    out_trade_no: str
    out_refund_no: str | None
    event_type: str
    notify_url: str
    body: str
    state: str
    attempts: int
    due_at: float | None
    created_at: float


@dataclass(frozen=True)
class Delivery:
    """How one delivery went. `status` is None when there was no answer; `error` then says why."""

    cause: str
    """`schedule` or `redelivery`."""
    signature: str
    serial: str
    started_at: float
    seconds: float
    status: int | None
    answer: str
    error: str

    @property
    def is_accepted(self) -> bool:
        """Only 200 and 204 count as success."""
        return self.status in (200, 204) and not self.error


class Notifications:
    """Records notifications and how their deliveries went."""

    def __init__(
        self, store: Store, clock: Clock, keyring: Keyring, faults: Faults, chaos: Chaos, speed: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._keyring = keyring
        self._faults = faults
        self._chaos = chaos
        self._speed = speed
        self.is_woken = threading.Event()

    def wake(self) -> None:
        """Something may have become due: make the courier look now."""
        self.is_woken.set()

    def record(self, event: Event, *, is_sent: bool) -> None:
        """Write a notification down; call inside the transaction of the fact it tells of.

        Faults of the route `notify` may keep it back, make it late, or change what it says.
        """
        faults = self._faults.claim("notify", event.out_trade_no, BORN_KINDS)
        faults += self._chaos.strikes("notify", ("never_notify", "delay"))
        is_sent = is_sent and not any(fault.kind == "never_notify" for fault in faults)
        now, event_id = self._clock.now(), str(uuid.uuid4())
        resource = content_of(faults, event.resource)
        late = sum(fault.arguments.get("seconds", 1) for fault in faults if fault.kind == "delay")
        body = notification_body(
            event_id=event_id,
            event_type=event.event_type,
            created_at=now,
            resource_text=json.dumps(resource, ensure_ascii=False, separators=(",", ":")),
            apiv3_key=self._keyring.apiv3_key(event.mchid),
        )
        self._store.insert(
            "notifications",
            id=event_id,
            mchid=event.mchid,
            out_trade_no=event.out_trade_no,
            out_refund_no=event.out_refund_no,
            event_type=event.event_type,
            notify_url=event.notify_url,
            body=body,
            state="pending" if is_sent else "withheld",
            due_at=now + late if is_sent else None,
            created_at=now,
        )

    def due(self, now: float) -> list[Notification]:
        """Those whose next delivery is due, longest overdue first."""
        rows = self._store.rows(
            "SELECT * FROM notifications WHERE state = 'pending' AND due_at <= ? ORDER BY due_at", now
        )
        return [Notification(**dict(row)) for row in rows]

    def next_due(self, now: float) -> float | None:
        """When the next one after `now` becomes due, in Unix seconds."""
        row = self._store.row(
            "SELECT MIN(due_at) AS at FROM notifications WHERE state = 'pending' AND due_at > ?", now
        )
        return None if row is None else row["at"]

    def of_order(self, mchid: str, out_trade_no: str) -> list[Notification]:
        """All notifications about one order, oldest first."""
        rows = self._store.rows(
            "SELECT * FROM notifications WHERE mchid = ? AND out_trade_no = ? ORDER BY created_at, rowid",
            mchid, out_trade_no,
        )  # fmt: skip
        return [Notification(**dict(row)) for row in rows]

    def find(self, notification_id: str) -> Notification | None:
        """The notification with this id."""
        row = self._store.row("SELECT * FROM notifications WHERE id = ?", notification_id)
        return None if row is None else Notification(**dict(row))

    def of_payment(self, mchid: str, out_trade_no: str) -> Notification | None:
        """The notification of an order's payment."""
        told = self.of_order(mchid, out_trade_no)
        return next((n for n in told if n.event_type.startswith("TRANSACTION.")), None)

    def of_refund(self, mchid: str, out_refund_no: str) -> Notification | None:
        """The newest notification of a refund."""
        row = self._store.row(
            "SELECT * FROM notifications WHERE mchid = ? AND out_refund_no = ? ORDER BY created_at DESC, rowid DESC",
            mchid, out_refund_no,
        )  # fmt: skip
        return None if row is None else Notification(**dict(row))

    def newest(self, mchid: str, most: int) -> list[Notification]:
        """The last ones of a merchant, newest first."""
        rows = self._store.rows(
            "SELECT * FROM notifications WHERE mchid = ? ORDER BY created_at DESC, rowid DESC LIMIT ?",
            mchid,
            most,
        )
        return [Notification(**dict(row)) for row in rows]

    def deliveries_of(self, notification_id: str) -> list[Delivery]:
        """How each delivery of one notification went, oldest first."""
        rows = self._store.rows(
            "SELECT cause, signature, serial, started_at, seconds, status, answer, error FROM deliveries"
            " WHERE notification_id = ? ORDER BY id",
            notification_id,
        )
        return [Delivery(**dict(row)) for row in rows]

    def record_delivery(self, notification: Notification, delivery: Delivery) -> None:
        """Log a delivery and decide what follows: done, another one later, or nothing more."""
        with self._store.transaction():
            row = self._store.row("SELECT * FROM notifications WHERE id = ?", notification.id)
            if row is None:
                return
            values: dict[str, Any] = dict(vars(delivery))
            self._store.insert("deliveries", notification_id=notification.id, **values)
            if delivery.is_accepted:
                self._settle(notification.id, "delivered", None, row["attempts"] + 1)
            elif delivery.cause == "schedule":
                state, due_at = self._after_failure(row["attempts"])
                self._settle(notification.id, state, due_at, row["attempts"] + 1)

    def _after_failure(self, earlier_attempts: int) -> tuple[str, float | None]:
        if earlier_attempts >= len(RETRY_SECONDS):
            return "given_up", None
        return "pending", self._clock.now() + RETRY_SECONDS[earlier_attempts] / self._speed

    def _settle(self, notification_id: str, state: str, due_at: float | None, attempts: int) -> None:
        self._store.write(
            "UPDATE notifications SET state = ?, due_at = ?, attempts = ? WHERE id = ?",
            state, due_at, attempts, notification_id,
        )  # fmt: skip
