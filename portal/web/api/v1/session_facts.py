"""How a checkout is told to a program: its status, and a message its learner can act on."""

import hashlib
from typing import Any

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l

from portal.kit import clock
from portal.payments.attempts import WECHAT_PAY
from portal.payments.checkout_state import CheckoutPage, CheckoutState
from portal.payments.queries import LicenseFacts, Purchase
from portal.transfers.queries import checkout_of
from portal.web.filters import waits_for_release
from portal.web.tools import tools

S = CheckoutState
_NOTHING_TO_WAIT_FOR = 60
_STATUS = {
    S.PREPARING: "pending",
    S.GATEWAY_DOWN: "pending",
    S.AWAITING_PAYMENT: "pending",
    S.CONFIRMING: "pending",
    S.DELIVERING: "paid",
    S.DELIVERY_DELAYED: "paid",
    S.DELIVERED: "completed",
    S.EXPIRED: "expired",
    S.CANCELLED: "cancelled",
    S.FAILED: "failed",
    S.TRANSFER_WAITING: "pending",
    S.TRANSFER_TOLD: "pending",
    S.TRANSFER_MISMATCH: "pending",
    S.TRANSFER_REFUSED: "failed",
    S.REFUND_DUE: "refunded",
    S.REFUNDED: "refunded",
}
_MESSAGES = {
    S.PREPARING: _l("The payment is being prepared. The code to scan follows in a moment."),
    S.GATEWAY_DOWN: _l("WeChat Pay does not answer at the moment. The code to scan follows by itself."),
    S.AWAITING_PAYMENT: _l("Scan the code with WeChat and pay."),
    S.CONFIRMING: _l("WeChat Pay is being asked whether you have paid. Please do not pay again."),
    S.DELIVERING: _l("Your payment has arrived. The license is being made."),
    S.DELIVERY_DELAYED: _l(
        "Your payment has arrived. The license takes longer than usual and comes by itself; please do not pay again."
    ),
    S.DELIVERED: _l("Thank you: your license is ready."),
    S.EXPIRED: _l("The time to pay is over and you were not charged. Start again when you like."),
    S.CANCELLED: _l("The order was cancelled and you were not charged."),
    S.FAILED: _l("WeChat Pay did not accept the order. You were not charged; please try again."),
    S.TRANSFER_WAITING: _l(
        "Open the page of this order: it shows whom to send the money to, and the reference to write beside it. "
        "Say there when you have."
    ),
    S.TRANSFER_TOLD: _l(
        "A person is looking for your transfer. The license comes as soon as it is confirmed."
    ),
    S.TRANSFER_MISMATCH: _l(
        "Another amount came than the price. Please do not send more; we will write to you about it."
    ),
    S.TRANSFER_REFUSED: _l("We did not find your transfer. If you did send the money, please write to us."),
    S.TRANSFER_ENDED: _l("The order is closed. If you did send the money, say so on the page of this order."),
    S.REFUND_DUE: _l("You paid for something you have already, or twice. The money goes back to you."),
    S.REFUNDING: _l("Your money is on its way back to you."),
    S.REFUND_ABNORMAL: _l(
        "Your money could not reach the account you paid with. We are putting it right; you need do nothing."
    ),
    S.PARTIALLY_REFUNDED: _l("A part of your payment went back to you. Your license is good."),
    S.REFUNDED: _l("Your money went back to you."),
}
_HELD = _l(
    "Our records are being restored; the code to scan follows by itself. If you have paid, please do not pay again."
)
_REVOKED = _l("The license of this order was revoked. If you do not know why, please write to us.")
_PAID_TWICE = _l("Your license is ready. You paid twice: the second payment goes back to you.")


def session_facts(purchase: Purchase) -> dict[str, Any]:
    """Return a session's facts, for `schemas.Session`."""
    checkout, locale = checkout_of(purchase), str(get_locale())
    order, payment = purchase.order, purchase.payment
    is_payable = checkout.state is S.AWAITING_PAYMENT and payment is not None
    return {
        "id": order.public_id,
        "status": session_status(checkout),
        "product": {"id": order.product_id, "kind": order.product_kind, "title": order.title(locale)},
        "amount": order.amount_fen,
        "currency": order.currency,
        "payment_method": payment.gateway if payment else WECHAT_PAY,
        "payment_url": f"{tools().settings.PORTAL_BASE_URL}/checkout/{order.public_id}",
        "code_url": payment.code_url if is_payable and payment else None,
        "qr_svg": payment.qr_svg if is_payable and payment else None,
        "expires_at": clock.iso(order.expires_at),
        "poll_after": poll_after(checkout),
        "license": _license(purchase.license),
        "message": str(_message(checkout)),
    }


def session_status(checkout: CheckoutPage) -> str:
    """Return the status; a purchase of which a part goes back is completed all the same."""
    # While money goes back, what was bought is what it was.
    return _STATUS.get(checkout.state, checkout.order.status)


def poll_after(checkout: CheckoutPage) -> int:
    """Return the seconds until asking again; a final state changes only by an act of ours, a revocation."""
    return _NOTHING_TO_WAIT_FOR if checkout.is_final else checkout.poll_seconds


def _message(checkout: CheckoutPage) -> Any:
    if checkout.order.status == "completed" and checkout.license is None:
        return _REVOKED
    if checkout.was_paid_twice and checkout.state is S.DELIVERED:
        return _PAID_TWICE
    return _HELD if waits_for_release(checkout.state) else _MESSAGES[checkout.state]


def _license(found: LicenseFacts | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "id": found.id,
        "course_id": found.course_id,
        "key": found.text,
        "expires_at": clock.iso(found.expires_at),
    }


def session_etag(purchase: Purchase) -> str:
    """Return what changes whenever the session's facts do, without writing them."""
    checkout = checkout_of(purchase)
    parts = (
        purchase.order.public_id,
        purchase.order.version,
        checkout.state,
        purchase.payment.id if purchase.payment else None,
        purchase.license.id if purchase.license else None,
        poll_after(checkout),
        waits_for_release(checkout.state),
        get_locale(),
    )
    return hashlib.sha256(repr([str(part) for part in parts]).encode()).hexdigest()[:32]
