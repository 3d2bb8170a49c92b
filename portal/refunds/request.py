"""Ask for a refund: by the learner for all that is left, by staff for any part of it.

What is asked for is reserved at once, so that what a page shows as remaining can really be given back.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.approvals import services as approvals
from portal.audit import services as audit
from portal.gateways.base import RefundRequest
from portal.kit import clock, faults, ids
from portal.kit.db import db, insert_row, transactional
from portal.kit.errors import Conflict, Invalid, NotFound, TooMany
from portal.learners.models import Learner
from portal.ledger.services import SALES, account_of_payment, payments_credited_to
from portal.orders.models import Order
from portal.outbox import services as outbox
from portal.payments.attempts import TRANSFER
from portal.payments.models import Payment, PaymentStatus
from portal.payments.settle import lock_payment
from portal.refunds.models import LicenseEffect, Origin, Refund, RefundStatus
from portal.refunds.reserve import refund_for_update, reserve, show_on_order
from portal.switchboard.hold import check_not_on_hold
from portal.tools import Tools

# The gateway's limits (merchant/4013071036).
MOST_PARTS = 50
APART = timedelta(minutes=1)
LONGEST = timedelta(days=365)
OVERDUE_AFTER = timedelta(hours=1)
# People give a transfer back, in their own time.
OVERDUE_BY_HAND = timedelta(days=3)

# One line; it is shown to the payer in WeChat, and on pages.
_REASON = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{2,200}")


class BadReason(Invalid):
    """A reason is one line of 2 to 200 characters."""

    code = "bad_reason"


class NotRefundable(Conflict):
    """The order has no payment that could be given back (any more)."""

    code = "not_refundable"


class TooMuch(Invalid):
    """More than is left of the payment; `facts["remaining_fen"]` is."""

    code = "too_much"


class TooOld(Conflict):
    """Longer ago than the gateway refunds."""

    code = "too_old"


class TooManyParts(Conflict):
    """The gateway gives one payment back in so many parts and no more."""

    code = "too_many_parts"


@dataclass(frozen=True)
class Wish:
    """What is asked for. `amount_fen` None: all that is left. `key` names the form, so that twice sent is once asked.

    `license_effect` counts for a part; when all goes back the license is revoked, and money that bought
    nothing has none.
    """

    reason: str
    key: str
    amount_fen: int | None = None
    license_effect: LicenseEffect = LicenseEffect.KEEP


def checked_reason(text: str) -> str:
    """Return a reason without space around it.

    Raises:
        BadReason: it is none.
    """
    reason = text.strip()
    if not _REASON.fullmatch(reason):
        raise BadReason
    return reason


@transactional
def request_by_learner(learner: Learner, order_public_id: str, wish: Wish, tools: Tools) -> Refund:
    """Ask for all that is left of what bought an order; somebody of the staff decides.

    Raises:
        NotFound: there is no such order, or it is another's.
        BadReason, NotRefundable, TooOld, TooManyParts, TooMany, OnHold.
    """
    out_trade_no = db.session.scalar(
        sa.select(Payment.out_trade_no)
        .join(Order, Order.id == Payment.order_id)
        .where(
            Order.public_id == order_public_id,
            Order.learner_id == learner.id,
            Payment.id.in_(payments_credited_to(SALES)),
        )
    )
    if out_trade_no is None:
        raise _nothing_paid(order_public_id, learner)
    wish = Wish(wish.reason, wish.key)
    return _place(out_trade_no, wish, Origin.LEARNER, f"learner:{learner.public_id}", tools)


def _nothing_paid(order_public_id: str, learner: Learner) -> Exception:
    own = sa.select(Order.id).where(Order.public_id == order_public_id, Order.learner_id == learner.id)
    return NotFound() if db.session.scalar(own) is None else NotRefundable()


@transactional
def request_by_staff(person: Learner, out_trade_no: str, wish: Wish, tools: Tools) -> Refund:
    """Ask for a refund of one payment; within the limits of one person it is approved by that.

    Raises:
        NotFound: there is no such payment.
        OwnRequest: it is the person's own, who asks for it as every learner does.
        BadReason, NotRefundable, TooMuch, TooOld, TooManyParts, TooMany, OnHold.
    """
    buyer = db.session.scalar(
        sa.select(Order.learner_id)
        .join(Payment, Payment.order_id == Order.id)
        .where(Payment.out_trade_no == out_trade_no)
    )
    if buyer is not None:
        approvals.check_approver(buyer, person.id, tools.settings)
    refund = _place(out_trade_no, wish, Origin.STAFF, f"staff:{person.public_id}", tools)
    if refund.status == RefundStatus.REQUESTED and approvals.may_act_alone(
        person.id, refund.amount_fen, tools.settings
    ):
        mark_approved(refund)
    return refund


def _place(out_trade_no: str, wish: Wish, origin: Origin, actor: str, tools: Tools) -> Refund:
    reason = checked_reason(wish.reason)
    payment = lock_payment(out_trade_no)
    if payment is None:
        raise NotFound
    earlier = _earlier(wish.key, actor)
    if earlier is not None:
        return earlier
    check_not_on_hold()
    _check_limits(payment)
    remaining = payment.amount_fen - payment.reserved_fen
    amount_fen = remaining if wish.amount_fen is None else wish.amount_fen
    if remaining == 0:
        raise NotRefundable
    if not 0 < amount_fen <= remaining or not reserve(payment.id, amount_fen):
        raise TooMuch(remaining_fen=remaining)
    faults.point("refund.after_reserve")
    effect = effect_of(payment.id, amount_fen == remaining, wish.license_effect)
    refund_id = insert_row(
        sa.insert(Refund).values(
            **_columns(payment, amount_fen, reason, tools),
            origin=origin.value,
            license_effect=effect.value,
            request_key=wish.key,
            requested_by=actor,
        )
    )
    refund = refund_for_update(refund_id)
    show_on_order(payment.id, payment.order_id)
    audit.record(
        "refund.requested",
        f"order:{payment.order_public_id}",
        actor,
        out_refund_no=refund.out_refund_no,
        amount_fen=amount_fen,
        reason=reason,
        license_effect=effect.value,
    )
    faults.point("refund.before_request_commit")
    return refund


def _columns(payment: Any, amount_fen: int, reason: str, tools: Tools) -> dict[str, Any]:
    now = clock.now()
    out_refund_no = ids.new_out_refund_no(tools.settings.mode_letter, now)
    return {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "gateway": payment.gateway,
        "mchid": payment.mchid,
        "mode": payment.mode,
        "out_refund_no": out_refund_no,
        "amount_fen": amount_fen,
        "held_fen": amount_fen,
        "currency": payment.currency,
        "reason": reason,
        "request": _request(payment, out_refund_no, amount_fen, reason, tools),
        "status": RefundStatus.REQUESTED.value,
        "created_at": now,
    }


def _request(
    payment: Any, out_refund_no: str, amount_fen: int, reason: str, tools: Tools
) -> dict[str, Any] | None:
    """Return what is sent to the gateway; a transfer has none, and a person gives it back (`by_hand.py`)."""
    if payment.gateway == TRANSFER:
        return None
    request = RefundRequest(
        out_refund_no=out_refund_no,
        transaction_id=payment.transaction_id,
        amount_fen=amount_fen,
        total_fen=payment.amount_fen,
        currency=payment.currency,
        reason=reason,
        notify_url=f"{tools.settings.PORTAL_BASE_URL}/notify/wechat",
    )
    return tools.gateway(payment.gateway).refund_fields(request)


def _earlier(key: str, actor: str) -> Refund | None:
    """Return what the same form has asked for already."""
    return db.session.scalar(sa.select(Refund).where(Refund.request_key == key, Refund.requested_by == actor))


def _check_limits(payment: Any) -> None:
    """Refuse what the gateway would refuse; people have no such limits.

    Raises:
        NotRefundable, TooOld, TooManyParts, TooMany.
    """
    if payment.status != PaymentStatus.PAID:
        raise NotRefundable
    if payment.gateway == TRANSFER:
        return
    now = clock.now()
    if now >= payment.paid_at + LONGEST:
        raise TooOld
    ended = (RefundStatus.REFUSED.value, RefundStatus.WITHDRAWN.value)
    parts = db.session.execute(
        sa.select(sa.func.count(), sa.func.max(Refund.created_at)).where(
            Refund.payment_id == payment.id, Refund.status.not_in(ended)
        )
    ).one()
    count, latest = parts
    if count >= MOST_PARTS:
        raise TooManyParts
    if latest is not None and now < latest + APART:
        raise TooMany(int((latest + APART - now).total_seconds()) + 1)


def effect_of(payment_id: int, is_rest: bool, wished: LicenseEffect) -> LicenseEffect:
    """Return what becomes of the license: the rule first, the wish for a part.

    Args:
        is_rest: whether nothing of the payment is left after this refund.
    """
    if account_of_payment(payment_id) != SALES:
        return LicenseEffect.KEEP
    return LicenseEffect.REVOKE if is_rest else wished


def digest_of(refund: Refund) -> str:
    """Return the digest of what is to be approved: payment, amount, reason, what becomes of the license."""
    return approvals.digest_of(
        payment_id=refund.payment_id,
        amount_fen=refund.amount_fen,
        reason=refund.reason,
        license_effect=refund.license_effect,
    )


def mark_approved(refund: Refund, approver: str | None = None) -> None:
    """Approve a locked, requested refund and put the work on record, in the running transaction.

    Args:
        approver: the actor, None when the requester needed nobody else.
    """
    now = clock.now()
    refund.status = RefundStatus.APPROVED.value
    refund.approved_by, refund.approved_at, refund.approval_digest = approver, now, digest_of(refund)
    db.session.flush()
    by_hand = refund.gateway == TRANSFER
    overdue_at = now + (OVERDUE_BY_HAND if by_hand else OVERDUE_AFTER)
    outbox.add("refund_overdue", f"refund_overdue:{refund.id}", refund.id, due_at=overdue_at)
    if not by_hand:
        outbox.add("refund_call", f"refund_call:{refund.id}", refund.id)
        outbox.add("mail_refund_started", f"mail_refund_started:{refund.id}", refund.id)
    show_on_order(refund.payment_id, refund.order_id)
    audit.record(
        "refund.approved",
        f"refund:{refund.out_refund_no}",
        approver or refund.requested_by,
        amount_fen=refund.amount_fen,
        digest=refund.approval_digest,
        alone=approver is None,
    )
    faults.point("refund.before_approve_commit")
