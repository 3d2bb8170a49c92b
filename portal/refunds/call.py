"""Speak with the gateway about refunds: send one, ask about it, learn of those made there.

The number and the request are the same for ever, so sending twice refunds once. An error answer is not
signed: before anything is concluded from it, the refund is asked about; until a verified answer, it is UNKNOWN.
"""

import logging
from datetime import timedelta

import sqlalchemy as sa

from portal.audit import services as audit
from portal.cases.models import CaseKind
from portal.cases.services import open_case, settle_case
from portal.gateways.base import (
    Gateway,
    GatewayError,
    GatewayRejected,
    GatewayUnknown,
    PaymentState,
    RefundNotice,
    RefundState,
)
from portal.kit import clock, faults
from portal.kit.db import changed_one, db, transactional
from portal.kit.errors import Conflict
from portal.learners.models import Learner
from portal.outbox import services as outbox
from portal.payments.attempts import TRANSFER
from portal.payments.models import Payment, PaymentStatus, VerifiedBy
from portal.payments.settle import settle_payment
from portal.refunds.models import Refund, RefundStatus
from portal.refunds.request import APART, checked_reason
from portal.refunds.reserve import let_go, lock_refund, show_on_order
from portal.refunds.settle import case_key, settle_refund
from portal.tools import Tools

log = logging.getLogger(__name__)

_ENDED = (
    RefundStatus.SUCCEEDED.value,
    RefundStatus.CLOSED.value,
    RefundStatus.REFUSED.value,
    RefundStatus.WITHDRAWN.value,
)
REJECTED_PAUSE = timedelta(hours=1)


class NotToBeGivenUp(Conflict):
    """The gateway has this refund, or may have it: it cannot be given up."""

    code = "not_to_be_given_up"


def _refund(refund_id: int) -> Refund | None:
    return db.session.get(Refund, refund_id, populate_existing=True)


def send_refund(refund_id: int, tools: Tools) -> timedelta | None:
    """Send an approved refund; return how long to wait before the next try, None when none is needed.

    Never raises for what a gateway does.
    """
    refund = _refund(refund_id)
    if refund is None or refund.status != RefundStatus.APPROVED or refund.request is None:
        return None
    was_sent = refund.called_at is not None
    if not _may_call(refund):
        return APART
    gateway = tools.gateway(refund.gateway)
    try:
        if was_sent and _ask(gateway, refund, tools):
            return None
        faults.point("refund.before_call")
        notice = gateway.create_refund(refund.request)
        faults.point("refund.after_call")
    except GatewayRejected as error:
        return _after_refusal(gateway, refund, error.reason, tools)
    except GatewayError as error:
        _note_failure(refund, error.reason)
        return timedelta(seconds=error.retry_after or 5)
    settle_refund(notice, VerifiedBy.QUERY, tools)
    return None


@transactional
def _may_call(refund: Refund) -> bool:
    """Note that the gateway is being asked, unless another refund of the payment was asked for a minute ago."""
    now = clock.now()
    other = sa.orm.aliased(Refund)
    too_soon = (
        sa.select(other.id)
        .where(other.payment_id == refund.payment_id, other.id != refund.id, other.called_at > now - APART)
        .limit(1)
    )
    if db.session.scalar(too_soon) is not None:
        return False
    noted = db.session.execute(
        sa.update(Refund)
        .where(Refund.id == refund.id, Refund.status == RefundStatus.APPROVED.value)
        # While it is being sent nobody gives it up: that asks for the failure that the end of the call may note.
        .values(called_at=now, failure_code=None)
    )
    return changed_one(noted)


def _ask(gateway: Gateway, refund: Refund, tools: Tools) -> bool:
    """Ask about a refund and apply the answer; return whether the gateway has it.

    Raises:
        GatewayRejected, GatewayUnknown: no believable answer.
    """
    notice = gateway.query_refund(refund.out_refund_no)
    settle_refund(notice, VerifiedBy.QUERY, tools)
    return notice.state is not RefundState.NOT_FOUND


def _after_refusal(gateway: Gateway, refund: Refund, reason: str, tools: Tools) -> timedelta | None:
    """The gateway refuses, unsigned: a query decides. Refused indeed: a person mends it, the number stays."""
    try:
        if _ask(gateway, refund, tools):
            return None
    except GatewayError as error:
        _note_failure(refund, error.reason)
        return timedelta(seconds=30)
    _note_failure(refund, reason, needs_person=True)
    return REJECTED_PAUSE


@transactional
def _note_failure(refund: Refund, reason: str, needs_person: bool = False) -> None:
    db.session.execute(
        sa.update(Refund)
        .where(Refund.id == refund.id, Refund.status == RefundStatus.APPROVED.value)
        .values(failure_code=reason[:64])
    )
    if needs_person:
        log.error(
            "refund refused", extra={"alert": True, "out_refund_no": refund.out_refund_no, "why": reason}
        )
        _open_case(CaseKind.REFUND_FAILED, refund, reason)


def _open_case(kind: CaseKind, refund: Refund, why: str) -> None:
    open_case(
        kind,
        case_key(refund.gateway, refund.out_refund_no),
        {
            "gateway": refund.gateway,
            "out_refund_no": refund.out_refund_no,
            "refund_id": refund.refund_id,
            "why": why,
        },
        order_id=refund.order_id,
        payment_id=refund.payment_id,
        amount_fen=refund.amount_fen,
        currency=refund.currency,
    )


def look_at_refund(refund_id: int, tools: Tools) -> bool:
    """Ask about a refund without an end; return whether it needs no more looking at."""
    refund = _refund(refund_id)
    if refund is None or refund.status in _ENDED:
        return True
    gateway = tools.gateway(refund.gateway)
    payment = db.session.get_one(Payment, refund.payment_id, populate_existing=True)
    try:
        if payment.status != PaymentStatus.PAID:
            paid = gateway.query_payment(payment.out_trade_no)
            if paid.state is PaymentState.PAID:
                settle_payment(paid, VerifiedBy.QUERY, tools)
        _ask(gateway, refund, tools)
    except GatewayError as error:
        log.warning("refund not answered", extra={"out_refund_no": refund.out_refund_no, "why": error.reason})
        return False
    now = _refund(refund_id)
    return now is None or now.status in _ENDED


@transactional
def note_overdue(refund_id: int) -> None:
    """Open a case for a refund that has no end an hour after it was approved (F25); three days, where people give it back."""
    refund = _refund(refund_id)
    if refund is not None and refund.status not in _ENDED:
        _open_case(CaseKind.REFUND_PENDING, refund, f"{refund.status} for too long")


def learn_refunds(payment_id: int, tools: Tools) -> bool:
    """The gateway says that some of a payment went back: find out by which refund. Returns whether that is done.

    Ours are asked about by number, also those that were never sent: a restored database has forgotten that. When none
    explains it, it was made at the gateway and its own news is still to come: a case, which the bill closes at the latest.
    """
    payment = db.session.get_one(Payment, payment_id, populate_existing=True)
    gateway = tools.gateway(payment.gateway)
    try:
        for refund in _of_payment(payment_id):
            if refund.status not in _ENDED:
                _ask(gateway, refund, tools)
    except GatewayError:
        return False
    _explain(payment_id)
    return True


def _of_payment(payment_id: int) -> list[Refund]:
    query = sa.select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


@transactional
def _explain(payment_id: int) -> None:
    known = (RefundStatus.PROCESSING.value, RefundStatus.SUCCEEDED.value, RefundStatus.ABNORMAL.value)
    if any(refund.status in known for refund in _of_payment(payment_id)):
        return
    payment = db.session.get_one(Payment, payment_id, populate_existing=True)
    open_case(
        CaseKind.REFUND_UNKNOWN,
        case_key(payment.gateway, payment.out_trade_no),
        {"out_trade_no": payment.out_trade_no, "why": "refunded at the gateway, by nobody here"},
        order_id=payment.order_id,
        payment_id=payment.id,
        currency=payment.currency,
    )


def send_again(person: Learner, out_refund_no: str) -> None:
    """Send an approved refund again now, under its number, after a person has mended what was wrong.

    Raises:
        NotFound: there is no such refund.
        Conflict: it is not waiting for that.
    """
    _check_waiting(out_refund_no, person)
    refund_id = db.session.execute(
        sa.select(Refund.id).where(Refund.out_refund_no == out_refund_no)
    ).scalar_one()
    outbox.hasten(f"refund_call:{refund_id}")


@transactional
def _check_waiting(out_refund_no: str, person: Learner) -> None:
    _, refund = lock_refund(out_refund_no)
    if refund.status != RefundStatus.APPROVED or refund.failure_code is None:
        raise Conflict
    audit.record("refund.sent_again", f"refund:{out_refund_no}", f"staff:{person.public_id}")


def give_up(person: Learner, out_refund_no: str, note: str, tools: Tools) -> None:
    """Give up a refund that the gateway closed or does not take, and free what it held.

    The gateway is asked once more before: what it has is never given up.

    Raises:
        NotFound, BadReason.
        NotToBeGivenUp: the gateway has it or does not answer.
    """
    note = checked_reason(note)
    found = db.session.scalar(sa.select(Refund).where(Refund.out_refund_no == out_refund_no))
    if found is not None and found.status == RefundStatus.APPROVED and found.gateway != TRANSFER:
        try:
            if found.failure_code is None or _ask(tools.gateway(found.gateway), found, tools):
                raise NotToBeGivenUp
        except (GatewayUnknown, GatewayRejected):
            raise NotToBeGivenUp from None
    _free(person, out_refund_no, note)


@transactional
def _free(person: Learner, out_refund_no: str, note: str) -> None:
    payment, refund = lock_refund(out_refund_no)
    may = refund.status == RefundStatus.CLOSED or (
        refund.status == RefundStatus.APPROVED
        and (refund.failure_code is not None or refund.gateway == TRANSFER)
    )
    if not may or not refund.held_fen or not let_go(refund, RefundStatus.CLOSED, decision_note=note):
        raise NotToBeGivenUp
    for work in ("refund_call", "refund_query", "refund_overdue"):
        outbox.settle_effect(f"{work}:{refund.id}")
    for kind in (CaseKind.REFUND_FAILED, CaseKind.REFUND_PENDING):
        settle_case(kind, case_key(refund.gateway, out_refund_no), note)
    show_on_order(payment.id, payment.order_id)
    audit.record("refund.given_up", f"refund:{out_refund_no}", f"staff:{person.public_id}", note=note)


def ask_now(out_refund_no: str, tools: Tools) -> RefundNotice | None:
    """Ask about a refund now, for a person; None when the gateway gives no believable answer, or there is none to ask.

    Raises:
        NotFound: there is no such refund.
    """
    found = db.session.scalar(sa.select(Refund).where(Refund.out_refund_no == out_refund_no))
    if found is None or found.gateway == TRANSFER:
        return None
    try:
        notice = tools.gateway(found.gateway).query_refund(out_refund_no)
    except GatewayError:
        return None
    settle_refund(notice, VerifiedBy.QUERY, tools)
    return notice
