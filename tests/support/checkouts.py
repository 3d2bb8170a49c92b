"""A checkout in any of its states, as the templates get it, without buying anything."""

from datetime import timedelta
from typing import Any

from flask import Flask, render_template
from flask_babel import force_locale

from portal.kit import clock
from portal.orders.models import OrderFacts
from portal.payments.checkout_state import CheckoutPage, CheckoutState, TransferFacts
from portal.payments.models import TransferStatus
from portal.payments.queries import LicenseFacts, PaymentFacts, Purchase, Sums

_STATUS = {
    CheckoutState.DELIVERING: "paid",
    CheckoutState.DELIVERY_DELAYED: "paid",
    CheckoutState.DELIVERED: "completed",
    CheckoutState.REFUND_DUE: "expired",
    CheckoutState.EXPIRED: "expired",
    CheckoutState.CANCELLED: "cancelled",
    CheckoutState.FAILED: "failed",
    CheckoutState.TRANSFER_REFUSED: "failed",
    CheckoutState.TRANSFER_ENDED: "expired",
    CheckoutState.REFUNDING: "completed",
    CheckoutState.REFUND_ABNORMAL: "completed",
    CheckoutState.PARTIALLY_REFUNDED: "completed",
    CheckoutState.REFUNDED: "refunded",
}
_TRANSFERS = {
    CheckoutState.TRANSFER_WAITING: TransferStatus.WAITING,
    CheckoutState.TRANSFER_TOLD: TransferStatus.TOLD,
    CheckoutState.TRANSFER_MISMATCH: TransferStatus.MISMATCH,
    CheckoutState.TRANSFER_REFUSED: TransferStatus.REFUSED,
    CheckoutState.TRANSFER_ENDED: TransferStatus.WAITING,
}
_UNDER_WAY = {CheckoutState.REFUNDING: "processing", CheckoutState.REFUND_ABNORMAL: "abnormal"}
_SUMS = {
    CheckoutState.REFUNDING: (9900, 0),
    CheckoutState.REFUND_ABNORMAL: (9900, 0),
    CheckoutState.PARTIALLY_REFUNDED: (4000, 4000),
    CheckoutState.REFUNDED: (9900, 9900),
}
"""What refunds hold and what went back."""
_LATE = timedelta(minutes=5)


def checkout_in(state: CheckoutState, was_code_shown: bool = True) -> CheckoutPage:
    """Return a checkout that is in `state`."""
    now = clock.now()
    order = OrderFacts(
        id=1,
        public_id="8k3hq2v9x0m4t7w1c5zr",
        product_id="cpp-primer-5th",
        product_kind="course",
        title_zh="C++ Primer 第五版",
        title_en="C++ Primer, 5th Edition",
        amount_fen=9900,
        currency="CNY",
        license_days=365,
        max_downloads=5,
        mode="test",
        status=_STATUS.get(state, "pending"),
        closing="expired" if state is CheckoutState.CONFIRMING else None,
        refund_state=_UNDER_WAY.get(state),
        version=3,
        created_at=now,
        expires_at=now + timedelta(minutes=30),
        paid_at=now - _LATE if state is CheckoutState.DELIVERY_DELAYED else now,
        closed_at=None,
    )
    purchase = Purchase(
        order=order,
        payment=_payment(state),
        license=_license() if order.status == "completed" else None,
        was_code_shown=was_code_shown,
        has_refund_due=state is CheckoutState.REFUND_DUE,
        buyer_tag="7Q4K",
        bought_by=_bought_by(state),
        returned_fen=_SUMS.get(state, (0, 0))[1],
    )
    page = CheckoutPage(purchase, _transfer(state))
    assert page.state is state
    return page


def _transfer(state: CheckoutState) -> TransferFacts | None:
    if state not in _TRANSFERS:
        return None
    return TransferFacts(
        reference="7K4M29QX",
        status=_TRANSFERS[state],
        receiver="Teacher Wang",
        note_zh="请在工作日转账。",
        note_en="On working days, please.",
        has_code=True,
        told_number=None,
        told_picture=False,
        came_fen=9800,
        refusal="nothing came",
    )


def _bought_by(state: CheckoutState) -> Sums | None:
    return Sums(9900, *_SUMS[state]) if state in _SUMS else None


def _payment(state: CheckoutState) -> PaymentFacts | None:
    if state is CheckoutState.PREPARING:
        return None
    failure = "SYSTEM_ERROR" if state is CheckoutState.GATEWAY_DOWN else None
    return PaymentFacts(
        id=1,
        gateway="wechat_pay",
        status="open" if state is CheckoutState.AWAITING_PAYMENT else "created",
        code_url=None,
        failure_code=failure,
        qr_svg=None,
    )


def _license() -> LicenseFacts:
    text = f"{'eyJpZCI6' * 60}|{'c2lnbmF0dXJl' * 28}"
    now = clock.now()
    return LicenseFacts(
        id="2f6c0b3e-7d0f-4b5e-9f44-1c9a4c1a9d10",
        course_id="cpp-primer-5th",
        text=text,
        issued_at=now,
        expires_at=now + timedelta(days=365),
    )


def drawn(
    app: Flask, checkout: CheckoutPage, locale: str, template: str = "checkout/show.html", **more: Any
) -> str:
    """Return the page of a checkout, or with `template` a part of it."""
    facts = {
        "checkout": checkout,
        "poll_url": "/checkout/8k3hq2v9x0m4t7w1c5zr/status",
        "check_url": "/checkout/8k3hq2v9x0m4t7w1c5zr/check",
        "cancel_url": "/checkout/8k3hq2v9x0m4t7w1c5zr/cancel",
        "tell_url": "/checkout/8k3hq2v9x0m4t7w1c5zr/transfer",
        "page_url": "https://learn.example.com/checkout/8k3hq2v9x0m4t7w1c5zr",
        "phone_url": None,
        "device": "desktop",
        "next_ms": 600_000,
        "refresh_count": 0,
        "tag": "3-pending-00-zh_Hans_CN-desktop",
    }
    with app.test_request_context("/checkout/8k3hq2v9x0m4t7w1c5zr"), force_locale(locale):
        return render_template(template, **facts | more)
