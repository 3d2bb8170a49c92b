"""Faults a test has ordered: which requests they are for, and how often they still happen.

What each kind does to a request is in `misbehaviour.py`.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from .store import Store

API_ROUTES = (
    "create", "query", "close", "certificates", "refund", "refund_query", "abnormal_refund", "bill",
    "billdownload", "complaint_list", "complaint", "complaint_history", "complaint_response",
    "complaint_complete", "complaint_refund", "complaint_url", "image_upload", "image",
)  # fmt: skip
ROUTES = (*API_ROUTES, "notify", "*")
"""`notify` is the sandbox's own call to the merchant; `*` is every route of the API."""
CHAOS_KINDS = (
    "delay", "hang", "drip", "accept_then_drop", "drop", "5xx", "429", "html",
    "unsigned", "bad_signature", "signtest", "bad_serial", "stale",
)  # fmt: skip
KINDS = (*CHAOS_KINDS, "error", "mutate", "pay_first")
BILL_KINDS = (
    "bill_not_ready", "wrong_hash", "other_host", "other_day", "other_mchid", "columns_reordered",
    "columns_added", "columns_missing", "bill_line",
)  # fmt: skip
FILE_KINDS = ("damaged_gzip", "bomb")
BORN_KINDS = ("never_notify", "delay", "mutate")
"""What can happen to a notification when it is written down."""
SENT_KINDS = ("unsigned", "bad_signature", "signtest", "bad_serial", "stale", "duplicate")
"""What can happen to each of its deliveries."""
NOTIFY_KINDS = (*BORN_KINDS, *SENT_KINDS)
KINDS_OF_ROUTE = {
    "bill": (*KINDS, *BILL_KINDS),
    "billdownload": (*KINDS, *FILE_KINDS),
    "notify": NOTIFY_KINDS,
}
"""Where other things can happen than `KINDS`."""
LATE_KINDS = ("delay", "accept_then_drop")
"""Kinds that let the request be processed first unless told otherwise."""


@dataclass(frozen=True)
class Fault:
    """One ordered fault. `times_left` None means for ever."""

    id: int
    route: str
    out_trade_no: str | None
    kind: str
    arguments: dict[str, Any]
    times_left: int | None
    hits: int

    @property
    def is_late(self) -> bool:
        """Whether the request is processed before the fault strikes."""
        return bool(self.arguments.get("processed", self.kind in LATE_KINDS))


class Faults:
    """The list of ordered faults."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def order(
        self, route: str, kind: str, arguments: dict[str, Any], out_trade_no: str | None, times: int | None
    ) -> int:
        """Order a fault; returns its id."""
        return self._store.insert(
            "faults",
            route=route,
            kind=kind,
            arguments=json.dumps(arguments),
            out_trade_no=out_trade_no,
            times_left=times,
        )

    def claim(self, route: str, out_trade_no: str | None, kinds: tuple[str, ...] = ()) -> list[Fault]:
        """The faults that strike this request, oldest first; each counts it as one of its times.

        Args:
            kinds: claim only these; all when empty.
        """
        if self._store.row("SELECT 1 FROM faults") is None:
            return []
        wider = ("notify",) if route == "notify" else (route, "*")
        with self._store.transaction():
            rows = self._store.rows(
                "SELECT * FROM faults WHERE route IN (?, ?) AND (out_trade_no IS NULL OR out_trade_no = ?)"
                " AND (times_left IS NULL OR times_left > 0) ORDER BY id",
                wider[0], wider[-1], out_trade_no,
            )  # fmt: skip
            struck = [row for row in rows if not kinds or row["kind"] in kinds]
            for row in struck:
                self._store.write(
                    "UPDATE faults SET hits = hits + 1, times_left = times_left - 1 WHERE id = ?", row["id"]
                )
        return [_fault(row) for row in struck]

    def all(self) -> list[Fault]:
        """Every fault, spent ones included, oldest first."""
        return [_fault(row) for row in self._store.rows("SELECT * FROM faults ORDER BY id")]

    def clear(self, fault_id: int | None = None) -> int:
        """Take back one fault, or all; returns how many."""
        if fault_id is None:
            return self._store.write("DELETE FROM faults").rowcount
        return self._store.write("DELETE FROM faults WHERE id = ?", fault_id).rowcount


def _fault(row: sqlite3.Row) -> Fault:
    return Fault(**dict(row) | {"arguments": json.loads(row["arguments"])})
