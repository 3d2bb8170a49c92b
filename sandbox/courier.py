"""Delivers notifications: a thread that looks for what is due, and one short-lived thread for each delivery.

A delivery must be answered with 200 or 204 within five seconds; redirects are not followed
(pay.weixin.qq.com/doc/v3/merchant/4012075420). Due times are in the store, so a restart forgets nothing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests
import urllib3

from .chaos import Chaos
from .clock import Clock
from .envelope import seal
from .faults import SENT_KINDS, Faults
from .keyring import Keyring
from .keys import Keys
from .notifications import Delivery, Notification, Notifications
from .spoiling import key_of, manner_of, moment_of
from .switches import Switches

ANSWER_SECONDS = 5
MOST_AT_ONCE = 64
KEPT_OF_ANSWER = 2000
LONGEST_NAP = 0.25

SPOILING_KINDS = tuple(kind for kind in SENT_KINDS if kind != "duplicate")

log = logging.getLogger("sandbox.courier")


class Courier:
    """Posts notifications to merchants."""

    def __init__(
        self,
        notifications: Notifications,
        keys: Keys,
        keyring: Keyring,
        switches: Switches,
        clock: Clock,
        faults: Faults,
        chaos: Chaos,
    ) -> None:
        self._notifications = notifications
        self._keys = keys
        self._keyring = keyring
        self._switches = switches
        self._clock = clock
        self._faults = faults
        self._chaos = chaos
        self._under_way: set[str] = set()
        self._places = threading.Semaphore(MOST_AT_ONCE)
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)

    def start(self) -> None:
        """Begin delivering, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further deliveries; those under way are left to themselves."""
        self._is_stopped.set()
        self._notifications.wake()
        if self._thread.is_alive():
            self._thread.join(2)

    def redeliver(self, notification: Notification, times: int, parallel: int) -> list[Delivery]:
        """Deliver again now, `times` in all and `parallel` at once, whatever has been answered before."""
        with ThreadPoolExecutor(parallel) as pool:
            return list(pool.map(lambda _: self._deliver(notification, "redelivery"), range(times)))

    def release(self, notification: Notification) -> Delivery:
        """Deliver one that was kept back, now; a refusal is followed by the usual further deliveries."""
        return self._deliver(notification, "schedule")

    def _work(self) -> None:
        while not self._is_stopped.is_set():
            self._notifications.is_woken.clear()
            now = self._clock.now()
            for notification in self._notifications.due(now):
                if notification.id not in self._under_way:
                    self._send_off(notification)
            next_due = self._notifications.next_due(now)
            nap = LONGEST_NAP if next_due is None else min(LONGEST_NAP, next_due - now)
            self._notifications.is_woken.wait(max(0.005, nap))

    def _send_off(self, notification: Notification) -> None:
        self._places.acquire()
        self._under_way.add(notification.id)
        threading.Thread(target=self._carry, args=(notification,), daemon=True).start()

    def _carry(self, notification: Notification) -> None:
        try:
            self._deliver(notification, "schedule")
            for _ in range(self._copies(notification)):
                self._deliver(notification, "redelivery")
        finally:
            self._under_way.discard(notification.id)
            self._places.release()
            self._notifications.wake()

    def _deliver(self, notification: Notification, cause: str) -> Delivery:
        merchant = self._keys.merchant_of(notification.mchid)
        assert merchant is not None
        faults = self._faults.claim("notify", notification.out_trade_no, SPOILING_KINDS)
        if cause == "schedule":
            faults += self._chaos.strikes("notify", SPOILING_KINDS)
        key = key_of(faults, self._keyring.for_notification(merchant))
        manner = manner_of(faults)
        # WeChat Pay does not probe the retry that follows a refused probe.
        is_first = notification.attempts == 0 and cause == "schedule"
        if manner == "good" and is_first and random.random() < self._switches["signtest_rate"]:
            manner = "signtest"
        envelope = seal(notification.body, key, moment_of(faults, self._clock.now()), manner)
        started_at, begun = self._clock.now(), time.monotonic()
        status, answer, error = post(notification.notify_url, envelope.body, envelope.headers)
        delivery = Delivery(
            cause=cause,
            signature=manner,
            serial=key.serial,
            started_at=started_at,
            seconds=round(time.monotonic() - begun, 3),
            status=status,
            answer=answer,
            error=error,
        )
        if not self._is_stopped.is_set():
            self._notifications.record_delivery(notification, delivery)
        log.info("%s -> %s: %s %s", notification.out_trade_no, notification.notify_url, status, error)
        return delivery

    def _copies(self, notification: Notification) -> int:
        """How often it comes again although it may have been accepted."""
        faults = self._faults.claim("notify", notification.out_trade_no, ("duplicate",))
        faults += self._chaos.strikes("notify", ("duplicate",))
        return sum(fault.arguments.get("copies", 1) for fault in faults)


def post(url: str, body: str, headers: dict[str, str]) -> tuple[int | None, str, str]:
    """Post once: the status (None without one), the beginning of the answer, what went wrong if anything."""
    deadline = time.monotonic() + ANSWER_SECONDS
    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.post(
            url,
            data=body.encode("utf-8", "replace"),
            headers=headers,
            timeout=ANSWER_SECONDS,
            allow_redirects=False,
            stream=True,
        )
        text = _beginning(answer, deadline)
        error = "no answer within 5 seconds" if time.monotonic() > deadline else ""
        return answer.status_code, text, error
    except requests.Timeout:
        return None, "", "no answer within 5 seconds"
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError, OSError) as trouble:
        return None, "", f"{type(trouble).__name__}: {trouble}"[:300]
    finally:
        session.close()


def _beginning(answer: requests.Response, deadline: float) -> str:
    read = bytearray()
    for piece in answer.iter_content(1):
        read += piece
        if len(read) >= KEPT_OF_ANSWER or time.monotonic() > deadline:
            break
    return read.decode("utf-8", "replace")
