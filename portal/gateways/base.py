"""What every payment gateway offers, in the portal's own words.

A call has three answers. OK is a return value. REJECTED (`GatewayRejected`) is the gateway's clear
refusal. UNKNOWN (`GatewayUnknown`) is everything else: no answer, a 5xx, a signature missing or wrong;
the gateway may have done what was asked, so the same call is made again under the same number.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

from portal.gateways.complaints import ComplaintDesk, ComplaintNotice


class GatewayError(Exception):
    """A call to a gateway did not give a verified answer. `reason` is safe to log."""

    def __init__(self, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class GatewayUnknown(GatewayError):
    """What the gateway did is not known; ask again under the same number."""


class GatewayRejected(GatewayError):
    """The gateway refuses, and would refuse again: our request or our account is wrong."""


class NumberSpent(GatewayError):
    """The gateway says that the order number was paid, closed or used otherwise.

    The answer is not signed, so it is a hint: a query must confirm it before anything changes.
    """


class BillNotReady(GatewayError):
    """The gateway has not made the day's bill yet; ask again later."""


class NoBill(GatewayError):
    """The gateway says that nothing happened on that day. Not signed: a hint, harmless where we know of nothing either."""


class BadBill(Exception):
    """What came is not the day's bill, and nothing of it may be used; `args[0]` says why, safe to show."""


class NotificationRefused(Exception):
    """A message that is not proven to come from the gateway. `reason` is one of a few fixed words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotificationSealed(Exception):
    """A genuine message whose content cannot be decrypted: the gateway must send it again."""


class PaymentState(StrEnum):
    """What a gateway says of an attempt."""

    NOT_FOUND = "not_found"
    """Only a hint: WeChat Pay does not sign this answer."""
    PENDING = "pending"
    PAID = "paid"
    CLOSED = "closed"


@dataclass(frozen=True)
class PaymentRequest:
    """What is asked of a gateway. Amounts in fen; `expires_at` is the last moment to pay, UTC.

    The payer sees `title`, shortened where it is too long for the gateway, and `tag`, which is never.
    """

    out_trade_no: str
    amount_fen: int
    currency: str
    title: str
    tag: str
    expires_at: datetime
    notify_url: str


@dataclass(frozen=True)
class PaymentNotice:
    """What a verified message or answer says of one attempt, translated. None: not told."""

    gateway: str
    mchid: str
    appid: str
    out_trade_no: str
    state: PaymentState
    transaction_id: str | None = None
    trade_type: str | None = None
    amount_fen: int | None = None
    currency: str | None = None
    paid_at: datetime | None = None
    payer_hash: str | None = None
    has_refund: bool = False
    """The gateway says that some of it went back, not how much (its refunds do)."""


class RefundState(StrEnum):
    """What a gateway says of a refund."""

    NOT_FOUND = "not_found"
    """Only a hint: WeChat Pay does not sign this answer."""
    PROCESSING = "processing"
    SUCCESS = "success"
    ABNORMAL = "abnormal"
    """The payer's account cannot be reached; a person repairs it at the gateway, under the same number."""
    CLOSED = "closed"
    """Never to happen under this number."""


@dataclass(frozen=True)
class RefundRequest:
    """What is asked of a gateway: `amount_fen` of the `total_fen` that were paid, back to the payer."""

    out_refund_no: str
    transaction_id: str
    amount_fen: int
    total_fen: int
    currency: str
    reason: str
    """Shown to the payer by the gateway; cut to what it takes."""
    notify_url: str


@dataclass(frozen=True)
class RefundNotice:
    """What a verified message or answer says of one refund, translated. None: not told.

    `account` is where the money goes, in the gateway's words (a bank and four digits).
    """

    gateway: str
    mchid: str
    out_refund_no: str
    state: RefundState
    refund_id: str | None = None
    out_trade_no: str | None = None
    transaction_id: str | None = None
    amount_fen: int | None = None
    total_fen: int | None = None
    currency: str | None = None
    succeeded_at: datetime | None = None
    account: str | None = None


@dataclass(frozen=True)
class VerifiedNotification:
    """A genuine notification. `notice` is None when it is about something else, or unreadable."""

    gateway: str
    event_id: str
    event_type: str
    body: str
    notice: PaymentNotice | RefundNotice | ComplaintNotice | None
    problem: str | None = None


class BillKind(StrEnum):
    """What a line of a bill is about."""

    PAYMENT = "payment"
    REFUND = "refund"
    REVOCATION = "revocation"
    """A payment undone at a till; an order of ours cannot be."""


class BillState(StrEnum):
    """What a line says of its payment (always SUCCESS) or refund, at the time the bill was made."""

    SUCCESS = "success"
    PROCESSING = "processing"
    ABNORMAL = "abnormal"
    CLOSED = "closed"
    REVOKED = "revoked"


@dataclass(frozen=True)
class BillLine:
    """One line of a bill, translated; `number` is its place in the file, amounts are in fen of `currency`.

    A refund's amount is what went back, and `transaction_id` the payment's that it is of.
    """

    number: int
    kind: BillKind
    at: datetime
    appid: str
    transaction_id: str
    out_trade_no: str
    trade_type: str
    state: BillState
    currency: str
    amount_fen: int
    refund_id: str | None = None
    out_refund_no: str | None = None

    @property
    def key(self) -> str:
        """Name the line among those of its kind."""
        return self.refund_id or self.transaction_id


@dataclass(frozen=True)
class TradeBill:
    """A whole day's bill, judged to be one: hash, merchant, day, sums. Its lines are read from `file` each time."""

    gateway: str
    mchid: str
    day: date
    sha1: str
    line_count: int
    paid_fen: int
    refunded_fen: int
    file: BinaryIO
    lines: Callable[[], Iterator[BillLine]]


class Headers(Protocol):
    """Headers of a message, looked up without regard to case."""

    def get(self, key: str, default: str, /) -> str:
        """Return a header, or `default`."""


class Gateway(Protocol):
    """A payment gateway. Calls end within 10 seconds and never happen inside a transaction."""

    name: str
    mchid: str
    appid: str

    @property
    def complaints(self) -> ComplaintDesk:
        """The complaints of payers."""

    @property
    def clock_skew(self) -> timedelta | None:
        """How far the gateway's clock was ahead of ours in its latest answer to this process; None before one."""

    def is_away(self) -> bool:
        """Tell whether calls are held back, because the gateway failed several times in a row."""

    def refuses_orders(self) -> int | None:
        """Return after how many seconds to come again with a new order, None when one may be placed now."""

    def probe(self) -> None:
        """Try once whether a gateway that is away is back, if it is time to; never raises for what it does."""

    def refresh_wanted_keys(self) -> None:
        """Fetch the gateway's keys if a message named one that we do not hold, at most once in ten minutes.

        Raises:
            GatewayRejected, GatewayUnknown: no trustworthy answer; the keys stay as they were.
        """

    def ping(self) -> None:
        """Make one harmless signed call, to see whether the gateway answers us and takes our signature.

        Raises:
            GatewayRejected, GatewayUnknown.
        """

    def key_problems(self) -> list[str]:
        """Name what is wrong with the keys that verify the gateway, or soon will be."""

    def request_fields(self, request: PaymentRequest) -> dict[str, Any]:
        """Return the exact request to store and send, for the first call and every repeat."""

    def create_payment(self, fields: Mapping[str, Any]) -> str:
        """Open an attempt and return its `code_url`, the text of the QR code.

        Raises:
            GatewayRejected, GatewayUnknown, NumberSpent.
        """

    def query_payment(self, out_trade_no: str) -> PaymentNotice:
        """Ask what became of an attempt; NOT_FOUND is a hint.

        Raises:
            GatewayRejected, GatewayUnknown.
        """

    def close_payment(self, out_trade_no: str) -> None:
        """Close an attempt, so that it can never be paid; returns only when that is verified.

        Raises:
            GatewayRejected, GatewayUnknown, NumberSpent.
        """

    def refund_fields(self, request: RefundRequest) -> dict[str, Any]:
        """Return the exact request to store and send, for the first call and every repeat."""

    def create_refund(self, fields: Mapping[str, Any]) -> RefundNotice:
        """Ask for a refund, or ask again with the same fields; it is accepted, not yet done.

        Raises:
            GatewayRejected, GatewayUnknown: not signed, so a query decides what became of it.
        """

    def query_refund(self, out_refund_no: str) -> RefundNotice:
        """Ask what became of a refund; NOT_FOUND is a hint.

        Raises:
            GatewayRejected, GatewayUnknown.
        """

    def parse_within(self, context: Callable[[], AbstractContextManager[object]]) -> None:
        """Have `parse_notification` enter `context` when it needs the database, which it seldom does."""

    def parse_notification(self, headers: Headers, body: bytes) -> VerifiedNotification:
        """Verify and read a notification, without any outbound call.

        Raises:
            NotificationRefused: not proven genuine.
            NotificationSealed: genuine, but not to be decrypted with our keys.
        """

    def trade_bill(self, day: date, file: BinaryIO) -> TradeBill:
        """Fetch the bill of a day in Beijing into `file`, and judge it.

        Raises:
            BillNotReady, NoBill, GatewayRejected, GatewayUnknown: there is none to be had now.
            BadBill: what came is not that day's bill.
        """

    def read_bill(self, day: date, file: BinaryIO) -> TradeBill:
        """Judge a bill that was not fetched from the gateway: nothing proves it genuine.

        Raises:
            BadBill: it is not a bill of that day.
        """

    def refresh_keys(self) -> None:
        """Fetch the gateway's current keys, if it is used in a mode that has them to fetch."""

    def forget_keys(self) -> None:
        """Read what is stored of the gateway, its keys and how it has been, again at the next use."""
