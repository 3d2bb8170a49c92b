"""The payer's side: scanning a code_url, paying, failing to pay, walking away.

One order is paid by one WeChat user: after somebody opened it, another scanner is told
「商家订单信息有误，请重新下单支付」. The merchant hears of success only.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from .clock import BEIJING, Clock
from .notifications import Event, Notifications
from .orders import Code, Order, Orders
from .store import Store
from .switches import Switches
from .transaction import transaction_of

REFUSALS = {
    "unknown_code": ("无法识别此支付二维码", "This is not a payment code"),
    "code_dead": ("二维码已失效，请重新获取", "This code is no longer valid; get a new one"),
    "order_expired": ("订单已过期，请重新下单", "The order has expired; please order again"),
    "order_closed": ("订单已关闭", "The order has been closed"),
    "already_paid": ("该订单已支付", "This order has been paid"),
    "opened_by_another": (
        "商家订单信息有误，请重新下单支付",
        "Something is wrong with the merchant's order: another user has opened it",
    ),
}
"""Why a scan or a payment is refused: reason, and what the phone says in Chinese and in English."""


class PaymentRefused(Exception):
    """The phone shows a refusal instead of a payment; `reason` is a key of REFUSALS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Cashier:
    """What WeChat does when a code is scanned."""

    def __init__(
        self, store: Store, clock: Clock, switches: Switches, orders: Orders, notifications: Notifications
    ) -> None:
        self._store = store
        self._clock = clock
        self._switches = switches
        self._orders = orders
        self._notifications = notifications

    def look(self, code_url: str, openid: str) -> Order:
        """The order behind a code, if `openid` could pay it now; changes nothing.

        Raises:
            PaymentRefused: with the reason the phone would show.
        """
        code = self._orders.code(code_url)
        if code is None:
            raise PaymentRefused("unknown_code")
        order = self.order_of(code)
        now = self._clock.now()
        if order.state == "SUCCESS":
            raise PaymentRefused("already_paid")
        if order.trade_state(now) == "CLOSED":
            raise PaymentRefused("order_closed")
        if not code.opens(now):
            raise PaymentRefused("code_dead")
        if order.is_over(now):
            raise PaymentRefused("order_expired")
        if order.opened_by not in (None, openid):
            raise PaymentRefused("opened_by_another")
        return order

    def order_of(self, code: Code) -> Order:
        """The order a code was issued for."""
        order = self._orders.find(code.mchid, code.out_trade_no)
        assert order is not None
        return order

    def open(self, code_url: str, openid: str) -> Order:
        """Scan: from now on the order is this user's to pay."""
        with self._store.transaction():
            order = self.look(code_url, openid)
            self._store.write(
                "UPDATE orders SET opened_by = ? WHERE mchid = ? AND out_trade_no = ?",
                openid, order.mchid, order.out_trade_no,
            )  # fmt: skip
        return order

    def pay(
        self, code_url: str, openid: str, *, payer_total: int | None = None, notify: bool = True
    ) -> Order:
        """Scan and pay; the notification is in the books together with the payment.

        Args:
            payer_total: fen the user pays after coupons; the whole amount when None.
            notify: False keeps the notification back, as when none ever comes.
        """
        with self._store.transaction():
            order = self.open(code_url, openid)
            now = self._clock.now()
            self._store.write(
                "UPDATE orders SET state = 'SUCCESS', transaction_id = ?, openid = ?, payer_total = ?,"
                " paid_at = ? WHERE mchid = ? AND out_trade_no = ?",
                new_transaction_id(now), openid, order.total if payer_total is None else payer_total, now,
                order.mchid, order.out_trade_no,
            )  # fmt: skip
            paid = self._orders.placed(order.mchid, order.out_trade_no)
            is_sent = notify and not self._switches["never_notify"]
            event = Event(
                "TRANSACTION.SUCCESS", paid.mchid, paid.out_trade_no, paid.fields["notify_url"],
                transaction_of(paid, now),
            )  # fmt: skip
            self._notifications.record(event, is_sent=is_sent)
        if is_sent:
            self._notifications.wake()
        return paid


def new_transaction_id(now: float) -> str:
    """28 digits: a prefix, the day in Beijing, ten more; the shape seen in the wild."""
    day = datetime.fromtimestamp(now, BEIJING).strftime("%Y%m%d")
    return f"42000{secrets.randbelow(10**5):05d}{day}{secrets.randbelow(10**10):010d}"
