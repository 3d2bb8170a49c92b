"""Named points where a test may break the portal on purpose.

`PORTAL_FAULT=<point>:<kill|raise|sleep=SECONDS>[:nth]` arms one point; the nth pass (default 1)
triggers it. Settings refuse the variable in live mode, so a live portal has no armed point.
"""

import os
import re
import signal
import threading

from portal.kit import clock

_SPEC = re.compile(
    r"(?P<point>[a-z_.]+):(?P<act>kill|raise|sleep=(?P<seconds>\d+(\.\d+)?))(:(?P<nth>[1-9]\d*))?", re.ASCII
)
POINTS = frozenset(
    {
        "again.after_call",
        "audit.before_commit",
        "batch.before_commit",
        "bill.mid_import",
        "close.after_call",
        "close.after_mark",
        "close.after_store",
        "close.between_calls",
        "expiry.after_mark",
        "keys.before_commit",
        "late.before_commit",
        "license.after_sign",
        "license.after_store",
        "mail.after_send",
        "mail.before_send",
        "mend.before_commit",
        "migrate.mid",
        "notify.after_commit",
        "notify.after_kept",
        "notify.after_verify",
        "notify.before_commit",
        "order.after_call",
        "order.after_commit",
        "order.after_store",
        "order.before_call",
        "order.before_commit",
        "refund.after_approve",
        "refund.after_call",
        "refund.after_reserve",
        "refund.before_approve_commit",
        "refund.before_call",
        "refund.before_request_commit",
        "refund.before_settle_commit",
        "settle.after_booking",
        "settle.after_paid",
        "settle.after_right",
        "watch.after_call",
        "watch.after_settle",
        "watch.before_call",
        "work.after_claim",
        "work.after_finish",
        "work.before_finish",
    }
)


class FaultInjected(RuntimeError):
    """Raised by a point armed with `raise`."""


class _Armed:
    def __init__(self, spec: str) -> None:
        match = _SPEC.fullmatch(spec)
        if match is None or match["point"] not in POINTS:
            raise ValueError(
                f"PORTAL_FAULT is <point>:<kill|raise|sleep=N>[:nth]; points: {', '.join(sorted(POINTS))}"
            )
        self.point = match["point"]
        self.act = match["act"]
        self.seconds = float(match["seconds"] or 0)
        self.passes_left = int(match["nth"] or 1)
        self.lock = threading.Lock()

    def is_due(self) -> bool:
        with self.lock:
            self.passes_left -= 1
            return self.passes_left == 0

    def strike(self) -> None:
        if self.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.act == "raise":
            raise FaultInjected(self.point)
        clock.sleep(self.seconds)


_armed: _Armed | None = None


def check(spec: str | None) -> None:
    """Raise `ValueError` when `spec` is neither empty nor of the form above with a known point."""
    if spec:
        _Armed(spec)


def arm(spec: str | None) -> None:
    """Arm the point that `spec` names, or none.

    Raises:
        ValueError: as `check`.
    """
    global _armed
    _armed = _Armed(spec) if spec else None


def point(name: str) -> None:
    """Mark the place `name`; does nothing unless armed."""
    if _armed is not None and _armed.point == name and _armed.is_due():
        _armed.strike()
