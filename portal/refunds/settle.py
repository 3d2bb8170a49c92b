"""Turn verified news of a refund into fact: the only way to SUCCEEDED.

Notification, query and bill all end here, also for refunds made at the gateway and not by us. One transaction
holds the refund, the payment's sums, the ledger, the license, the order, the mail and the audit row. News may come
twice and in any order: states only move forward, and success is counted once.
"""

import logging
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.cases.models import CaseKind
from portal.cases.services import open_case, settle_case
from portal.gateways.base import RefundNotice, RefundState
from portal.kit import clock, faults
from portal.kit.db import ChangedMeanwhile, changed_one, db, transactional
from portal.ledger.services import SALES, account_of_payment, post_refund
from portal.licenses import services as licenses
from portal.orders.models import OrderStatus
from portal.orders.services import move_order
from portal.outbox import services as outbox
from portal.payments.models import Payment, PaymentStatus, Verdict, VerifiedBy
from portal.payments.settle import account_at, lock_payment
from portal.refunds.found import record_found
from portal.refunds.models import LicenseEffect, Refund, RefundStatus
from portal.refunds.request import OVERDUE_AFTER
from portal.refunds.reserve import make_room, refund_for_update, reserve, show_on_order
from portal.tools import Tools

log = logging.getLogger(__name__)

REVOKED_BECAUSE = "refunded"
# Nothing follows them but success, which a gateway's word always brings.
_ENDED = (RefundStatus.SUCCEEDED.value, RefundStatus.CLOSED.value)
_FIRST_LOOK = timedelta(minutes=1)


@transactional
def settle_refund(notice: RefundNotice, verified_by: VerifiedBy, tools: Tools) -> Verdict:
    """Apply verified news of a refund, whoever brought it.

    Returns SETTLED when it changed something, DUPLICATE when all was known, CASE when a person has to look (nothing
    is dropped), IGNORED when it is no news.
    """
    if notice.state is RefundState.NOT_FOUND:
        return Verdict.IGNORED
    payment = lock_payment(_out_trade_no(notice) or "")
    refund = _known(notice)
    problem = _problem(notice, payment, refund, tools)
    if problem is not None:
        return _refuse_to_book(notice, payment, *problem)
    if refund is None:
        refund = record_found(notice, payment)
    if payment.status != PaymentStatus.PAID:
        # A refund proves a payment whose own news is still on its way: both are asked about.
        outbox.hasten(f"refund_query:{refund.id}")
        return Verdict.SETTLED
    is_alive = notice.state in (RefundState.PROCESSING, RefundState.ABNORMAL)
    if is_alive and _was_given_up(refund) and not _take_up(payment, refund):
        return _refuse_to_book(notice, payment, CaseKind.REFUND_UNKNOWN, "more than is left of the payment")
    match notice.state:
        case RefundState.SUCCESS:
            return _succeed(payment, refund, notice, verified_by)
        case RefundState.PROCESSING:
            return _move(
                payment, refund, notice, RefundStatus.PROCESSING, (RefundStatus.ABNORMAL.value, *_ENDED)
            )
        case RefundState.ABNORMAL:
            return _move(payment, refund, notice, RefundStatus.ABNORMAL, _ENDED)
        case _:
            return _move(payment, refund, notice, RefundStatus.CLOSED, _ENDED)


def _known(notice: RefundNotice) -> Refund | None:
    """Return our row, by either number, locked after its payment."""
    numbers = [Refund.out_refund_no == notice.out_refund_no]
    if notice.refund_id is not None:
        numbers.append(sa.and_(Refund.mchid == notice.mchid, Refund.refund_id == notice.refund_id))
    found = db.session.scalar(
        sa.select(Refund.id).where(Refund.gateway == notice.gateway, sa.or_(*numbers)).order_by(Refund.id)
    )
    return None if found is None else refund_for_update(found)


def _out_trade_no(notice: RefundNotice) -> str | None:
    """Return the order number of the payment that the notice is about: our row knows best."""
    own = db.session.scalar(
        sa.select(Payment.out_trade_no)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Refund.gateway == notice.gateway, Refund.out_refund_no == notice.out_refund_no)
    )
    if own is not None or notice.out_trade_no is not None:
        return own or notice.out_trade_no
    return db.session.scalar(
        sa.select(Payment.out_trade_no).where(
            Payment.gateway == notice.gateway,
            Payment.mchid == notice.mchid,
            Payment.transaction_id == notice.transaction_id,
        )
    )


def _problem(
    notice: RefundNotice, payment: Any, refund: Refund | None, tools: Tools
) -> tuple[CaseKind, str] | None:
    """Say why genuine news must not be booked, or None."""
    if notice.mchid != account_at(notice.gateway, tools)[0]:
        return CaseKind.FOREIGN, "another merchant"
    if payment is None or payment.gateway != notice.gateway:
        return CaseKind.REFUND_UNKNOWN, "no such payment"
    if payment.mode != tools.settings.PORTAL_MODE or payment.mchid != notice.mchid:
        return CaseKind.FOREIGN, "another mode or merchant than the payment's"
    told = (
        ("order number", notice.out_trade_no, payment.out_trade_no),
        ("transaction", notice.transaction_id, payment.transaction_id),
        ("total", notice.total_fen, payment.amount_fen),
        ("currency", notice.currency, payment.currency),
        ("amount", notice.amount_fen, refund.amount_fen if refund else None),
        ("refund number", notice.out_refund_no, refund.out_refund_no if refund else None),
        ("gateway's number", notice.refund_id, refund.refund_id if refund else None),
    )
    for name, theirs, ours in told:
        if theirs is not None and ours is not None and theirs != ours:
            return CaseKind.REFUND_UNKNOWN, f"another {name}"
    if refund is None and (notice.amount_fen is None or notice.amount_fen > payment.amount_fen):
        return CaseKind.REFUND_UNKNOWN, "more than was paid"
    return None


def _refuse_to_book(notice: RefundNotice, payment: Any, kind: CaseKind, text: str) -> Verdict:
    log.error("refund not booked", extra={"alert": True, "out_refund_no": notice.out_refund_no, "why": text})
    evidence = asdict(notice)
    evidence["succeeded_at"] = clock.iso(notice.succeeded_at) if notice.succeeded_at else None
    open_case(
        kind,
        case_key(notice.gateway, notice.out_refund_no),
        {**evidence, "why": text},
        order_id=payment.order_id if payment else None,
        payment_id=payment.id if payment else None,
        amount_fen=notice.amount_fen,
        currency=(notice.currency or "")[:3],
    )
    return Verdict.CASE


def case_key(gateway: str, out_refund_no: str) -> str:
    """Return what names the cause of a case about this refund."""
    return f"{gateway}:{out_refund_no}"


def _was_given_up(refund: Refund) -> bool:
    """Tell whether a person gave up a refund of which the gateway had never said a word."""
    return (
        refund.status == RefundStatus.CLOSED
        and refund.held_fen == 0
        and refund.refund_id is None
        and refund.request is not None
    )


def _take_up(payment: Any, refund: Refund) -> bool:
    """Take up again what was given up while the gateway was taking it; False when its money is not there any more."""
    if not (make_room(payment, refund, refund.amount_fen) and reserve(payment.id, refund.amount_fen)):
        return False
    refund.status, refund.held_fen, refund.ended_at = RefundStatus.APPROVED.value, refund.amount_fen, None
    db.session.flush()
    # Giving it up had ended all that looks after it.
    watch(refund)
    key, due_at = f"refund_overdue:{refund.id}", clock.now() + OVERDUE_AFTER
    outbox.ensure("refund_overdue", key, refund.id, due_at=due_at)
    log.error("refund was given up", extra={"alert": True, "out_refund_no": refund.out_refund_no})
    return True


def _move(
    payment: Any, refund: Refund, notice: RefundNotice, status: RefundStatus, later: tuple[str, ...]
) -> Verdict:
    """Move a refund forward to a state that is not success; `later` states stay."""
    if refund.status == status or refund.status in later:
        return Verdict.DUPLICATE
    refund.status, refund.refund_id = status.value, notice.refund_id or refund.refund_id
    refund.account = notice.account or refund.account
    if status is RefundStatus.CLOSED:
        refund.ended_at = clock.now()
    db.session.flush()
    outbox.settle_effect(f"refund_call:{refund.id}")
    if status is RefundStatus.PROCESSING:
        watch(refund)
    else:
        _open_failure(refund, status.value)
    show_on_order(payment.id, payment.order_id)
    audit.record(f"refund.{status.value}", f"refund:{refund.out_refund_no}", audit.SYSTEM)
    return Verdict.SETTLED


def watch(refund: Refund) -> None:
    """Ask about a refund until it has an end, first in a minute."""
    outbox.ensure("refund_query", f"refund_query:{refund.id}", refund.id, due_at=clock.now() + _FIRST_LOOK)


def _open_failure(refund: Refund, why: str) -> None:
    open_case(
        CaseKind.REFUND_FAILED,
        case_key(refund.gateway, refund.out_refund_no),
        {"out_refund_no": refund.out_refund_no, "refund_id": refund.refund_id, "why": why},
        order_id=refund.order_id,
        payment_id=refund.payment_id,
        amount_fen=refund.amount_fen,
        currency=refund.currency,
        is_news=True,
    )


def _succeed(payment: Any, refund: Refund, notice: RefundNotice, verified_by: VerifiedBy) -> Verdict:
    if refund.status == RefundStatus.SUCCEEDED:
        return Verdict.DUPLICATE
    missing = refund.amount_fen - refund.held_fen
    if missing and not (make_room(payment, refund, missing) and reserve(payment.id, missing)):
        return _refuse_to_book(notice, payment, CaseKind.REFUND_UNKNOWN, "more than is left of the payment")
    _count(payment, refund)
    refund.status, refund.held_fen = RefundStatus.SUCCEEDED.value, refund.amount_fen
    refund.refund_id = notice.refund_id or refund.refund_id or refund.out_refund_no
    refund.account = notice.account or refund.account
    refund.failure_code, refund.verified_by = None, verified_by.value
    refund.ended_at = clock.now()
    refund.succeeded_at = notice.succeeded_at or refund.ended_at
    db.session.flush()
    is_all_back = payment.refunded_fen + refund.amount_fen == payment.amount_fen
    account = account_of_payment(payment.id) or SALES
    post_refund(refund.id, refund.gateway, account, refund.order_id, refund.amount_fen, refund.currency)
    if account == SALES:
        _follow_on_purchase(payment, refund, is_all_back)
    elif is_all_back:
        _close_money_cases(payment)
    _finish(payment, refund, verified_by)
    faults.point("refund.before_settle_commit")
    return Verdict.SETTLED


def _count(payment: Any, refund: Refund) -> None:
    counted = db.session.execute(
        sa.update(Payment)
        .where(Payment.id == payment.id, Payment.refunded_fen + refund.amount_fen <= Payment.reserved_fen)
        .values(refunded_fen=Payment.refunded_fen + refund.amount_fen)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(counted):
        raise ChangedMeanwhile(refund.out_refund_no)


def _follow_on_purchase(payment: Any, refund: Refund, is_all_back: bool) -> None:
    """All back: the order is refunded and its license revoked (I20). A part: as was decided."""
    if is_all_back and payment.order_status in (OrderStatus.PAID, OrderStatus.COMPLETED):
        move_order(payment.order_id, OrderStatus.REFUNDED)
    if is_all_back or refund.license_effect == LicenseEffect.REVOKE:
        revoked = licenses.withdraw_of_payment(payment.id, REVOKED_BECAUSE)
        # Of an order of which a part went back, this work makes no license any more, and ends it.
        if is_all_back:
            outbox.settle_effect(f"issue_license:{revoked.entitlement_id}")
        for license_id in revoked.license_ids:
            audit.record("license.revoked", f"license:{license_id}", audit.SYSTEM, reason=REVOKED_BECAUSE)


def _close_money_cases(payment: Any) -> None:
    key = f"{payment.gateway}:{payment.mchid}:{payment.out_trade_no}:{payment.transaction_id}"
    for kind in (CaseKind.DUPLICATE, CaseKind.LATE_UNWANTED):
        settle_case(kind, key, "refunded")


def _finish(payment: Any, refund: Refund, verified_by: VerifiedBy) -> None:
    for work in ("refund_call", "refund_query", "refund_overdue"):
        outbox.settle_effect(f"{work}:{refund.id}")
    key = case_key(refund.gateway, refund.out_refund_no)
    for kind in (CaseKind.REFUND_FAILED, CaseKind.REFUND_PENDING, CaseKind.REFUND_UNKNOWN):
        settle_case(kind, key, "refunded")
    settle_case(CaseKind.REFUND_UNKNOWN, case_key(payment.gateway, payment.out_trade_no), "refund found")
    outbox.add("mail_refund_done", f"mail_refund_done:{refund.id}", refund.id)
    show_on_order(payment.id, payment.order_id)
    audit.record(
        "refund.settled",
        f"refund:{refund.out_refund_no}",
        audit.SYSTEM,
        refund_id=refund.refund_id,
        amount_fen=refund.amount_fen,
        origin=refund.origin,
        verified_by=verified_by.value,
    )
