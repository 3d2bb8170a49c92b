"""What a checkout shows, on its page and in the API: one of a fixed set of states, worked out from the rows."""

import functools
from dataclasses import dataclass
from enum import StrEnum

from portal.kit import clock
from portal.orders.models import OrderFacts, OrderStatus, RefundState
from portal.payments.models import PaymentStatus, TransferStatus
from portal.payments.queries import LicenseFacts, PaymentFacts, Purchase

_DELIVERY_IS_LATE_AFTER = 60
_SLOWEST = 15


class CheckoutState(StrEnum):
    """Everything a learner can meet (one vocabulary for page, poll, API and mail)."""

    PREPARING = "preparing"
    GATEWAY_DOWN = "gateway_down"
    AWAITING_PAYMENT = "awaiting_payment"
    CONFIRMING = "confirming"
    """The time is over or the learner cancels, and WeChat has not yet said whether money came."""
    DELIVERING = "delivering"
    DELIVERY_DELAYED = "delivery_delayed"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    TRANSFER_WAITING = "transfer_waiting"
    """To be paid by transfer: the learner makes it, and says so."""
    TRANSFER_TOLD = "transfer_told"
    """The learner says that it was made, and staff look."""
    TRANSFER_MISMATCH = "transfer_mismatch"
    """Another amount came than the order's."""
    TRANSFER_REFUSED = "transfer_refused"
    """Staff found no such money."""
    TRANSFER_ENDED = "transfer_ended"
    """The order ended before the learner said anything; money that came all the same can still be told of."""
    REFUND_DUE = "refund_due"
    """Money came that did not buy this order (too late, or not the right amount): it goes back."""
    REFUNDING = "refunding"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    REFUND_ABNORMAL = "refund_abnormal"
    """The money could not reach the payer's account; the shop repairs it at WeChat."""


_SLOW = frozenset(
    {
        CheckoutState.GATEWAY_DOWN,
        CheckoutState.DELIVERY_DELAYED,
        CheckoutState.TRANSFER_WAITING,
        CheckoutState.TRANSFER_TOLD,
        CheckoutState.TRANSFER_MISMATCH,
    }
)
FINAL = frozenset(
    {
        CheckoutState.DELIVERED,
        CheckoutState.EXPIRED,
        CheckoutState.CANCELLED,
        CheckoutState.FAILED,
        CheckoutState.TRANSFER_REFUSED,
        CheckoutState.TRANSFER_ENDED,
        CheckoutState.REFUND_DUE,
        CheckoutState.REFUNDING,
        CheckoutState.PARTIALLY_REFUNDED,
        CheckoutState.REFUNDED,
        CheckoutState.REFUND_ABNORMAL,
    }
)
_UNDER_WAY = {
    RefundState.PROCESSING.value: CheckoutState.REFUNDING,
    RefundState.ABNORMAL.value: CheckoutState.REFUND_ABNORMAL,
}


@dataclass(frozen=True)
class TransferFacts:
    """What the learner sees of a payment by transfer. `receiver` and `note` are the course's now."""

    reference: str
    status: TransferStatus
    receiver: str
    note_zh: str
    note_en: str
    has_code: bool
    told_number: str | None
    told_picture: bool
    came_fen: int | None
    refusal: str | None

    def note(self, locale: str) -> str:
        """Return the note in the language of `locale` (`en…`, else Chinese)."""
        return self.note_en if locale.startswith("en") else self.note_zh


_OF_TRANSFERS = {
    TransferStatus.TOLD: CheckoutState.TRANSFER_TOLD,
    TransferStatus.CHECKED: CheckoutState.TRANSFER_TOLD,
    TransferStatus.MISMATCH: CheckoutState.TRANSFER_MISMATCH,
    TransferStatus.REFUSED: CheckoutState.TRANSFER_REFUSED,
}


@dataclass(frozen=True)
class CheckoutPage:
    """What the templates of the checkout draw and the API tells. Times in seconds.

    `transfer` is there when the attempt that matters is one.
    """

    purchase: Purchase
    transfer: TransferFacts | None = None

    @property
    def order(self) -> OrderFacts:
        """The order."""
        return self.purchase.order

    @property
    def payment(self) -> PaymentFacts | None:
        """The attempt that matters now: the open one, else the latest."""
        return self.purchase.payment

    @property
    def license(self) -> LicenseFacts | None:
        """The license, once made."""
        return self.purchase.license

    @functools.cached_property
    def state(self) -> CheckoutState:
        """Which page this is: the same until the rows are read again."""
        order = self.order
        if self.transfer is not None and not order.was_paid:
            state = self._state_of_transfer(self.transfer)
            if state is not None:
                return state
        if self.purchase.has_refund_due and not order.is_paid:
            return CheckoutState.REFUND_DUE
        if order.refund_state in _UNDER_WAY:
            return _UNDER_WAY[order.refund_state]
        if order.status == OrderStatus.COMPLETED:
            return CheckoutState.PARTIALLY_REFUNDED if self.refunded_fen else CheckoutState.DELIVERED
        if order.status == OrderStatus.PAID:
            return CheckoutState.DELIVERY_DELAYED if self._is_delivery_late else CheckoutState.DELIVERING
        if order.status != OrderStatus.PENDING:
            return CheckoutState.REFUNDED if self.purchase.returned_fen else CheckoutState(order.status)
        if order.closing or order.is_past_deadline:
            return CheckoutState.CONFIRMING
        return self._state_of_attempt()

    def _state_of_transfer(self, transfer: TransferFacts) -> CheckoutState | None:
        """Return the state of an order that waits for a transfer; None once that was confirmed."""
        if transfer.status is TransferStatus.WAITING:
            is_open = self.order.is_open and not self.order.closing
            return CheckoutState.TRANSFER_WAITING if is_open else CheckoutState.TRANSFER_ENDED
        return _OF_TRANSFERS.get(transfer.status)

    def _state_of_attempt(self) -> CheckoutState:
        payment = self.payment
        if payment is not None and payment.status == PaymentStatus.OPEN:
            return CheckoutState.AWAITING_PAYMENT
        if payment is not None and payment.failure_code:
            return CheckoutState.GATEWAY_DOWN
        return CheckoutState.PREPARING

    @property
    def _is_delivery_late(self) -> bool:
        paid_at = self.order.paid_at
        return paid_at is not None and (clock.now() - paid_at).total_seconds() > _DELIVERY_IS_LATE_AFTER

    @property
    def was_paid_twice(self) -> bool:
        """Tell whether money came that this paid order did not need: it goes back."""
        return self.purchase.has_refund_due and self.order.is_paid

    @property
    def refunded_fen(self) -> int:
        """What went back of the payment that bought this."""
        paid = self.purchase.bought_by
        return paid.refunded_fen if paid else 0

    @property
    def under_way_fen(self) -> int:
        """What of it is on its way back."""
        paid = self.purchase.bought_by
        return paid.reserved_fen - paid.refunded_fen if paid else 0

    @property
    def goes_back_whole(self) -> bool:
        """Tell whether all that was paid goes back, which ends the license."""
        paid = self.purchase.bought_by
        return paid is not None and paid.reserved_fen == paid.amount_fen

    @property
    def is_final(self) -> bool:
        """Tell whether the page will not change any more by itself."""
        return self.state in FINAL

    @property
    def poll_seconds(self) -> int:
        """When to look again: 2 s for a minute, 5 s to five minutes, then 15 s (UX B1)."""
        if self.state in _SLOW:
            return _SLOWEST
        if self.state is not CheckoutState.AWAITING_PAYMENT:
            return 2
        age = (clock.now() - self.order.created_at).total_seconds()
        return 2 if age < 60 else 5 if age < 300 else _SLOWEST

    @property
    def was_code_shown(self) -> bool:
        """Tell whether anybody can have paid: the words "not charged" are careful about it."""
        return self.purchase.was_code_shown

    @property
    def seconds_left(self) -> int:
        """Seconds in which the code can still be paid."""
        return int(self.order.time_left.total_seconds())

    @property
    def buyer_tag(self) -> str:
        """A short mark of the buyer, shown here and in WeChat, so that a swapped code is noticed."""
        return self.purchase.buyer_tag
