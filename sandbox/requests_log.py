"""The log of API requests: what arrived, and how it was answered."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from .call import Call
from .clock import Clock
from .faults import Fault
from .store import Store


class RequestsLog:
    """One row for each request, written when it arrives and completed when it is answered."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def arrived(self, call: Call, out_trade_no: str | None, faults: list[Fault]) -> int:
        """Write a request down; returns its number in the log."""
        return self._store.insert(
            "requests",
            at=self._clock.now(),
            method=call.method,
            path=call.target.decode("utf-8", "replace"),
            route=call.route,
            out_trade_no=out_trade_no,
            faults=json.dumps([fault.kind for fault in faults]),
        )

    def answered(
        self, number: int, mchid: str | None, status: int | None, code: str | None, begun: float
    ) -> None:
        """Complete a row; `status` is None when the connection was closed instead of answering.

        Args:
            begun: `time.monotonic()` when the request arrived.
        """
        self._store.write(
            "UPDATE requests SET mchid = ?, status = ?, code = ?, seconds = ? WHERE id = ?",
            mchid, status, code, round(time.monotonic() - begun, 4), number,
        )  # fmt: skip

    def found(self, out_trade_no: str | None, route: str | None, limit: int) -> list[dict[str, Any]]:
        """The newest `limit` requests about an order and of a route (None: any), oldest first."""
        rows = self._store.rows(
            "SELECT * FROM requests WHERE (?1 IS NULL OR out_trade_no = ?1) AND (?2 IS NULL OR route = ?2)"
            " ORDER BY id DESC LIMIT ?3",
            out_trade_no, route, limit,
        )  # fmt: skip
        return [_entry(row) for row in reversed(rows)]

    def counts(self, out_trade_no: str | None = None) -> dict[str, int]:
        """How many requests arrived on each route, about one order or in all."""
        rows = self._store.rows(
            "SELECT route, COUNT(*) AS n FROM requests WHERE ?1 IS NULL OR out_trade_no = ?1 GROUP BY route",
            out_trade_no,
        )
        return {row["route"]: row["n"] for row in rows}


def _entry(row: sqlite3.Row) -> dict[str, Any]:
    return dict(row) | {"faults": json.loads(row["faults"])}
