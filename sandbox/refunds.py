"""The refund book: accepting refunds, settling them, putting abnormal ones right.

Rules of pay.weixin.qq.com/doc/v3/merchant/4013071036: a number refunds once; within a year of the payment; at
most fifty parts, a minute apart; never more than was paid. Accepted is not refunded: a refund is PROCESSING
until it becomes SUCCESS, ABNORMAL (the payer's account does not take it) or CLOSED.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any

from . import errors
from .clock import BEIJING, Clock
from .notifications import Event, Notifications
from .orders import Order, Orders
from .refund import Refund, notified_refund_of
from .store import Store
from .switches import Switches

LONGEST_SECONDS = 365 * 86400
MOST_PARTS = 50
APART_SECONDS = 60
OUTCOMES = {"abnormal": "ABNORMAL", "closed": "CLOSED", "manual": None}
"""What a refund comes to, by the switch `refund_mode`; in any other mode it succeeds."""
MOVES = {"PROCESSING": ("SUCCESS", "ABNORMAL", "CLOSED"), "ABNORMAL": ("SUCCESS", "CLOSED")}
REFUSALS = {"not_enough": errors.not_enough, "user_account_abnormal": errors.user_account_abnormal}
WALLET = "支付用户零钱"


class WrongMove(Exception):
    """A refund cannot become what was asked, as success and closing are final."""


class Refunds:
    """The refunds of all merchants."""

    def __init__(
        self, store: Store, clock: Clock, switches: Switches, orders: Orders, notifications: Notifications
    ) -> None:
        self._store = store
        self._clock = clock
        self._switches = switches
        self._orders = orders
        self._notifications = notifications
        self._when_successful: list[Callable[[Refund], None]] = []

    def on_success(self, call: Callable[[Refund], None]) -> None:
        """Have `call` called, inside the transaction, with every refund that arrives."""
        self._when_successful.append(call)

    def request(self, mchid: str, fields: dict[str, Any]) -> Refund:
        """Accept a refund, or find the one already accepted under this number.

        Raises:
            ApiError: the number is in use otherwise, or the order cannot be refunded so.
        """
        self.settle_due()
        with self._store.transaction():
            known = self.find(mchid, fields["out_refund_no"])
            if known is not None:
                if known.fields != fields:
                    raise errors.invalid_request(
                        "订单金额或退款金额与之前请求不一致，请核实后再试", 268498688
                    )
                return known
            order = self._paid_order(mchid, fields)
            self._check_rules(order, fields)
            if refusal := REFUSALS.get(self._switches["refund_mode"]):
                raise refusal()
            return self._insert(order, fields, "api", fields.get("notify_url"))

    def make_by_hand(self, order: Order, fields: dict[str, Any], notify_url: str | None) -> Refund:
        """A refund made in the merchant platform: by its own number, without the minute between two.

        Raises:
            ApiError: more than was paid, or the number is taken.
        """
        with self._store.transaction():
            if self.find(order.mchid, fields["out_refund_no"]):
                raise errors.invalid_request("商户退款单号重复")
            self._check_sum(order, fields["amount"]["refund"])
            return self._insert(order, fields, "console", notify_url)

    def find(self, mchid: str, out_refund_no: str) -> Refund | None:
        """The refund with the merchant's number."""
        self.settle_due()
        return self._by_number(mchid, out_refund_no)

    def find_by_id(self, mchid: str, refund_id: str) -> Refund | None:
        """The refund with WeChat Pay's number."""
        self.settle_due()
        row = self._store.row("SELECT * FROM refunds WHERE mchid = ? AND refund_id = ?", mchid, refund_id)
        return None if row is None else _refund(row)

    def of_order(self, mchid: str, out_trade_no: str) -> list[Refund]:
        """All refunds of an order, oldest first."""
        return self._found("mchid = ? AND out_trade_no = ?", mchid, out_trade_no)

    def all(self, mchid: str) -> list[Refund]:
        """All refunds of a merchant, oldest first."""
        return self._found("mchid = ?", mchid)

    def made_between(self, mchid: str, begin: float, end: float) -> list[Refund]:
        """Those accepted from `begin` until before `end` (Unix seconds), oldest first."""
        return self._found("mchid = ? AND created_at >= ? AND created_at < ?", mchid, begin, end)

    def repair(self, refund: Refund, account: str) -> Refund:
        """Send an abnormal refund to another account: PROCESSING again.

        Raises:
            ApiError: it is not abnormal.
        """
        with self._store.transaction():
            is_manual = self._switches["refund_mode"] == "manual"
            changed = self._store.write(
                "UPDATE refunds SET status = 'PROCESSING', account = ?, outcome = ?, due_at = ?,"
                " settled_at = NULL WHERE refund_id = ? AND status = 'ABNORMAL'",
                account, None if is_manual else "SUCCESS", None if is_manual else self._due(), refund.refund_id,
            ).rowcount  # fmt: skip
            if not changed:
                raise errors.invalid_request("退款单状态不是退款异常，不能发起异常退款处理")
        self._notifications.wake()
        return self._again(refund)

    def settle(self, refund: Refund, outcome: str, *, notify: bool = True) -> Refund:
        """Bring a refund to an end, and tell the merchant if it gave an address.

        Args:
            outcome: SUCCESS, ABNORMAL or CLOSED.
            notify: False keeps the notification back.

        Raises:
            WrongMove: it has an end already that allows no such one.
        """
        with self._store.transaction():
            self._settle(self._again(refund), outcome, self._clock.now(), notify=notify)
        self._notifications.wake()
        return self._again(refund)

    def settle_due(self) -> None:
        """Settle every refund whose time has come."""
        now = self._clock.now()
        due = "SELECT * FROM refunds WHERE status = 'PROCESSING' AND due_at <= ? ORDER BY due_at"
        if self._store.row(due, now) is None:
            return
        with self._store.transaction():
            for refund in [_refund(row) for row in self._store.rows(due, now)]:
                assert refund.outcome is not None and refund.due_at is not None
                self._settle(refund, refund.outcome, refund.due_at, notify=True)
        self._notifications.wake()

    def _settle(self, refund: Refund, outcome: str, at: float, *, notify: bool) -> None:
        if outcome not in MOVES.get(refund.status, ()):
            raise WrongMove(f"{refund.status} does not become {outcome}")
        self._store.write(
            "UPDATE refunds SET status = ?, settled_at = ?, outcome = NULL, due_at = NULL WHERE refund_id = ?",
            outcome, at, refund.refund_id,
        )  # fmt: skip
        if outcome == "CLOSED":
            self._count(refund, -1)
        settled = self._again(refund)
        if outcome == "SUCCESS":
            for call in self._when_successful:
                call(settled)
        if refund.notify_url is None:
            return
        order = self._orders.placed(settled.mchid, settled.out_trade_no)
        event = Event(
            f"REFUND.{outcome}", settled.mchid, settled.out_trade_no, refund.notify_url,
            notified_refund_of(settled, order), settled.out_refund_no,
        )  # fmt: skip
        self._notifications.record(event, is_sent=notify and not self._switches["never_notify"])

    def _insert(self, order: Order, fields: dict[str, Any], origin: str, notify_url: str | None) -> Refund:
        assert order.transaction_id is not None
        now, amount = self._clock.now(), fields["amount"]["refund"]
        earlier = sum(refund.amount for refund in self._live(order))
        outcome = OUTCOMES.get(self._switches["refund_mode"], "SUCCESS")
        self._store.insert(
            "refunds",
            refund_id=new_refund_id(now),
            mchid=order.mchid,
            out_refund_no=fields["out_refund_no"],
            out_trade_no=order.out_trade_no,
            transaction_id=order.transaction_id,
            origin=origin,
            request=json.dumps(fields, ensure_ascii=False),
            status="PROCESSING",
            amount=amount,
            payer_refund=payer_share(order, earlier + amount) - payer_share(order, earlier),
            notify_url=notify_url,
            account=WALLET,
            outcome=outcome,
            due_at=None if outcome is None else self._due(),
            created_at=now,
        )
        accepted = self._by_number(order.mchid, fields["out_refund_no"])
        assert accepted is not None
        self._count(accepted, 1)
        self._notifications.wake()
        return accepted

    def _paid_order(self, mchid: str, fields: dict[str, Any]) -> Order:
        """The order the refund names, by either number or both."""
        if "transaction_id" in fields:
            found = self._orders.paid(mchid, fields["transaction_id"])
        else:
            found = self._orders.find(mchid, fields["out_trade_no"])
        if found is None or found.state != "SUCCESS":
            raise errors.resource_not_exists("订单不存在")
        if fields.get("out_trade_no", found.out_trade_no) != found.out_trade_no:
            raise errors.invalid_request("您的请求参数与订单信息不一致", 268447843)
        return found

    def _check_rules(self, order: Order, fields: dict[str, Any]) -> None:
        now = self._clock.now()
        assert order.paid_at is not None
        if fields["amount"]["total"] != order.total:
            raise errors.invalid_request("您的请求参数与订单信息不一致", 268447843)
        if now > order.paid_at + LONGEST_SECONDS:
            raise errors.trade_overdue()
        self._check_sum(order, fields["amount"]["refund"])
        made = [refund for refund in self.of_order(order.mchid, order.out_trade_no) if refund.origin == "api"]
        if made and now < made[-1].created_at + APART_SECONDS:
            too_soon = "同一笔订单的多次退款需间隔1分钟以上"
            if self._switches["refund_interval_error"] == "429":
                raise errors.frequency_limited(too_soon)
            raise errors.invalid_request(too_soon)

    def _check_sum(self, order: Order, amount: int) -> None:
        live = self._live(order)
        left = order.total - sum(refund.amount for refund in live)
        if not left:
            raise errors.invalid_request("订单已全额退款")
        if amount > left:
            raise errors.invalid_request("申请退款金额大于订单可退款金额")
        if len(live) >= MOST_PARTS:
            raise errors.invalid_request(f"单笔订单部分退款次数超过{MOST_PARTS}次限制")

    def _live(self, order: Order) -> list[Refund]:
        """Those that take from what can still be refunded."""
        return [r for r in self.of_order(order.mchid, order.out_trade_no) if r.status != "CLOSED"]

    def _count(self, refund: Refund, step: int) -> None:
        self._store.write(
            "UPDATE orders SET refunds = refunds + ? WHERE mchid = ? AND out_trade_no = ?",
            step, refund.mchid, refund.out_trade_no,
        )  # fmt: skip

    def _due(self) -> float:
        seconds: float = self._switches["refund_seconds"]
        return self._clock.now() + seconds

    def _by_number(self, mchid: str, out_refund_no: str) -> Refund | None:
        row = self._store.row(
            "SELECT * FROM refunds WHERE mchid = ? AND out_refund_no = ?", mchid, out_refund_no
        )
        return None if row is None else _refund(row)

    def _again(self, refund: Refund) -> Refund:
        row = self._store.row("SELECT * FROM refunds WHERE refund_id = ?", refund.refund_id)
        assert row is not None
        return _refund(row)

    def _found(self, condition: str, *values: Any) -> list[Refund]:
        self.settle_due()
        rows = self._store.rows(
            f"SELECT * FROM refunds WHERE {condition} ORDER BY created_at, rowid", *values
        )
        return [_refund(row) for row in rows]


def new_refund_id(now: float) -> str:
    """29 digits that begin with 50 and have the day in Beijing in them; the shape seen in the wild."""
    day = datetime.fromtimestamp(now, BEIJING).strftime("%Y%m%d")
    return f"503{secrets.randbelow(10**7):07d}{day}{secrets.randbelow(10**11):011d}"


def payer_share(order: Order, amount: int) -> int:
    """What of a refund of `amount` fen the payer gets; the rest was a coupon.

    Rounded over the running sum, so that all parts together return exactly what was paid.
    """
    assert order.payer_total is not None
    return amount * order.payer_total // order.total


def _refund(row: sqlite3.Row) -> Refund:
    return Refund(**dict(row))
