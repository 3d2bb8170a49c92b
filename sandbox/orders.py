"""Orders: placing, placing again, finding, closing.

The rules of pay.weixin.qq.com/doc/v3/merchant/4012791877 and its sibling pages:
a number is unique for ever; the same request again gives a fresh code and kills the old one; anything else
under the same number is refused; a closed number stays closed.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
from dataclasses import dataclass
from typing import Any

from . import errors
from .clock import Clock, parse_rfc3339
from .keys import Merchant
from .store import Store
from .switches import Switches

CODE_SECONDS = 2 * 3600
"""A code_url lives two hours, whatever the order's deadline."""
ORDER_SECONDS = 7 * 86400
"""An unpaid order ends after seven days; a later deadline is moved there."""
SHORTEST_DEADLINE_SECONDS = 60
_CODE_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Order:
    """A row of the books."""

    mchid: str
    out_trade_no: str
    appid: str
    trade_type: str
    request: str
    state: str
    """NOTPAY, SUCCESS, CLOSED; or BURNT: closed without ever having been ordered."""
    total: int
    created_at: float
    pay_until: float
    opened_by: str | None
    transaction_id: str | None
    openid: str | None
    payer_total: int | None
    paid_at: float | None
    closed_at: float | None
    refunds: int
    """How many refunds of it were accepted and not closed."""

    @property
    def fields(self) -> dict[str, Any]:
        """The request that placed it."""
        parsed: dict[str, Any] = json.loads(self.request)
        return parsed

    def trade_state(self, now: float) -> str:
        """The state a query tells: a passed deadline alone leaves it NOTPAY, seven days close it.

        A paid order is REFUND from its first refund on, also a partial one.
        """
        if self.state == "NOTPAY" and now >= self.created_at + ORDER_SECONDS:
            return "CLOSED"
        if self.state == "SUCCESS" and self.refunds:
            return "REFUND"
        return self.state

    def is_over(self, now: float) -> bool:
        """Closed, or past its deadline, and so not payable any more."""
        return self.state in ("CLOSED", "BURNT") or (self.state == "NOTPAY" and now >= self.pay_until)


@dataclass(frozen=True)
class Code:
    """A code_url and whether it still opens its order."""

    code_url: str
    mchid: str
    out_trade_no: str
    created_at: float
    is_live: int

    def opens(self, now: float) -> bool:
        """Neither replaced by a newer code nor older than two hours."""
        return bool(self.is_live) and now < self.created_at + CODE_SECONDS


class Orders:
    """The order book of all merchants."""

    def __init__(self, store: Store, clock: Clock, switches: Switches) -> None:
        self._store = store
        self._clock = clock
        self._switches = switches

    def place(self, merchant: Merchant, trade_type: str, fields: dict[str, Any]) -> str:
        """Place an order, or the same order again; returns its code_url.

        Raises:
            ApiError: the number is closed, paid, or in use with other parameters.
        """
        now, number = self._clock.now(), fields["out_trade_no"]
        with self._store.transaction():
            known = self.find(merchant.mchid, number)
            if known is None:
                self._insert(merchant, trade_type, fields, now)
            else:
                self._check_reorder(known, trade_type, fields, now)
            return self._new_code(merchant.mchid, number, now)

    def find(self, mchid: str, out_trade_no: str) -> Order | None:
        """The order with this number, a burnt one included."""
        row = self._store.row(
            "SELECT * FROM orders WHERE mchid = ? AND out_trade_no = ?", mchid, out_trade_no
        )
        return None if row is None else _order(row)

    def placed(self, mchid: str, out_trade_no: str) -> Order:
        """The order with this number.

        Raises:
            ApiError: 404, also for a number that was closed without having been ordered.
        """
        order = self.find(mchid, out_trade_no)
        if order is None or order.state == "BURNT":
            raise errors.order_not_exist()
        return order

    def paid(self, mchid: str, transaction_id: str) -> Order | None:
        """The paid order with this transaction_id."""
        row = self._store.row(
            "SELECT * FROM orders WHERE mchid = ? AND transaction_id = ?", mchid, transaction_id
        )
        return None if row is None else _order(row)

    def paid_as(self, mchid: str, transaction_id: str) -> Order:
        """The paid order with this transaction_id; ApiError 404 when there is none."""
        if (order := self.paid(mchid, transaction_id)) is None:
            raise errors.order_not_exist()
        return order

    def paid_between(self, mchid: str, begin: float, end: float) -> list[Order]:
        """Those paid from `begin` until before `end` (Unix seconds), oldest first."""
        rows = self._store.rows(
            "SELECT * FROM orders WHERE mchid = ? AND paid_at >= ? AND paid_at < ? ORDER BY paid_at, rowid",
            mchid, begin, end,
        )  # fmt: skip
        return [_order(row) for row in rows]

    def close(self, mchid: str, out_trade_no: str) -> None:
        """Close an unpaid order; again is fine. A number never ordered is closed too, and lost.

        Raises:
            ApiError: it has been paid.
        """
        now = self._clock.now()
        with self._store.transaction():
            order = self.find(mchid, out_trade_no)
            if order is None:
                values = {"state": "BURNT", "created_at": now, "pay_until": now, "closed_at": now}
                self._store.insert("orders", mchid=mchid, out_trade_no=out_trade_no, **values)
            elif order.state == "SUCCESS":
                raise errors.order_paid(self._switches["order_paid_code"])
            elif order.state == "NOTPAY":
                self._store.write(
                    "UPDATE orders SET state = 'CLOSED', closed_at = ? WHERE mchid = ? AND out_trade_no = ?",
                    now, mchid, out_trade_no,
                )  # fmt: skip

    def code(self, code_url: str) -> Code | None:
        """The code with this text, live or dead."""
        row = self._store.row("SELECT * FROM codes WHERE code_url = ?", code_url)
        return None if row is None else Code(**dict(row))

    def newest_code(self, mchid: str, out_trade_no: str) -> Code | None:
        """The code the last order call for this number was answered with."""
        row = self._store.row(
            "SELECT * FROM codes WHERE mchid = ? AND out_trade_no = ? ORDER BY is_live DESC, created_at DESC",
            mchid, out_trade_no,
        )  # fmt: skip
        return None if row is None else Code(**dict(row))

    def all(self, mchid: str, *, only_unpaid: bool = False) -> list[Order]:
        """A merchant's orders, newest first."""
        states = ("NOTPAY",) if only_unpaid else ("NOTPAY", "SUCCESS", "CLOSED", "BURNT")
        marks = ", ".join("?" * len(states))
        rows = self._store.rows(
            f"SELECT * FROM orders WHERE mchid = ? AND state IN ({marks})"
            " ORDER BY created_at DESC, rowid DESC",
            mchid, *states,
        )  # fmt: skip
        return [_order(row) for row in rows]

    def _insert(self, merchant: Merchant, trade_type: str, fields: dict[str, Any], now: float) -> None:
        asked = parse_rfc3339(fields["time_expire"]) if "time_expire" in fields else None
        latest = now + ORDER_SECONDS
        pay_until = latest if asked is None else min(max(asked, now + SHORTEST_DEADLINE_SECONDS), latest)
        self._store.insert(
            "orders",
            mchid=merchant.mchid,
            out_trade_no=fields["out_trade_no"],
            appid=fields["appid"],
            trade_type=trade_type,
            request=json.dumps(fields, ensure_ascii=False),
            state="NOTPAY",
            total=fields["amount"]["total"],
            created_at=now,
            pay_until=pay_until,
        )

    def _check_reorder(self, known: Order, trade_type: str, fields: dict[str, Any], now: float) -> None:
        if known.state == "SUCCESS":
            raise errors.order_paid(self._switches["order_paid_code"])
        if known.is_over(now):
            raise errors.order_closed()
        if known.trade_type != trade_type:
            raise errors.out_trade_no_used()
        if known.fields != fields:
            is_documented = self._switches["reorder_error"] == "403"
            raise errors.out_trade_no_used() if is_documented else errors.changed_reorder()

    def _new_code(self, mchid: str, out_trade_no: str, now: float) -> str:
        code_url = "weixin://wxpay/bizpayurl?pr=" + "".join(secrets.choice(_CODE_LETTERS) for _ in range(9))
        self._store.write(
            "UPDATE codes SET is_live = 0 WHERE mchid = ? AND out_trade_no = ?", mchid, out_trade_no
        )
        values = {"mchid": mchid, "out_trade_no": out_trade_no, "created_at": now, "is_live": 1}
        self._store.insert("codes", code_url=code_url, **values)
        return code_url


def _order(row: sqlite3.Row) -> Order:
    return Order(**dict(row))
