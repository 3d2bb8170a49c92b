"""Turn verified news of money into fact: the only way to PAID.

Notification, query and bill all end here. One transaction holds the payment, the order, the ledger, the
right to the course, its license, the work that follows and the audit row, or none of them. Locks are taken
in one order everywhere: payment and order together, then the rest.
"""

import logging
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.catalogue.models import Course
from portal.gateways.base import PaymentNotice, PaymentState
from portal.kit import clock, faults
from portal.kit.db import ChangedMeanwhile, changed_one, db, run, table_of, transactional
from portal.learners.models import Learner
from portal.ledger.services import SALES, UNAPPLIED, post_payment
from portal.licenses import services as licenses
from portal.licenses.key_ring import NoSigningKey
from portal.licenses.models import Entitlement
from portal.orders.models import Order, OrderStatus
from portal.orders.services import move_order, touch
from portal.outbox import services as outbox
from portal.payments.attempts import TRANSFER, WECHAT_PAY
from portal.payments.models import Payment, PaymentStatus, Verdict, VerifiedBy
from portal.tools import Tools

log = logging.getLogger(__name__)

TRADE_TYPES = {WECHAT_PAY: "NATIVE", TRANSFER: "TRANSFER"}
"""How money reaches us by each way."""


# Statements on the tables, put together once: a notification is settled while WeChat waits.
_payments, _orders, _learners = table_of(Payment).c, table_of(Order).c, table_of(Learner).c
_courses = table_of(Course).c
_LOCK = (
    sa.select(
        _payments.id,
        _payments.order_id,
        _payments.gateway,
        _payments.mode,
        _payments.mchid,
        _payments.appid,
        _payments.out_trade_no,
        _payments.amount_fen,
        _payments.currency,
        _payments.status,
        _payments.transaction_id,
        _payments.paid_at,
        _payments.reserved_fen,
        _payments.refunded_fen,
        _orders.public_id.label("order_public_id"),
        _orders.status.label("order_status"),
        _orders.closing,
        _orders.learner_id,
        _orders.product_id,
        _orders.license_days,
        _orders.max_downloads,
    )
    .where(_orders.id == _payments.order_id, _payments.out_trade_no == sa.bindparam("number"))
    .with_for_update()
)
_MARK_PAID = (
    sa.update(table_of(Payment))
    .where(
        _payments.id == sa.bindparam("payment"),
        _payments.status != PaymentStatus.PAID.value,
        _payments.transaction_id.is_(None),
    )
    .values(status=PaymentStatus.PAID.value, open_key=None)
)
_SUBJECT = sa.select(
    _learners.public_id,
    sa.select(_courses.gitee).where(_courses.id == sa.bindparam("course")).scalar_subquery().label("gitee"),
).where(_learners.id == sa.bindparam("learner"))


def lock_payment(out_trade_no: str) -> Any:
    """Lock an attempt and its order, in the running transaction, and return their columns as a row."""
    return run(_LOCK, {"number": out_trade_no}).first()


@transactional
def settle_payment(notice: PaymentNotice, verified_by: VerifiedBy, tools: Tools) -> Verdict:
    """Apply verified news of a payment, whoever brought it.

    Returns SETTLED when money became a purchase now, DUPLICATE when it had before, CASE when a person has
    to look (nothing is dropped), IGNORED when the news is not of money.
    """
    if notice.state is not PaymentState.PAID:
        return Verdict.IGNORED
    row = lock_payment(notice.out_trade_no)
    problem = _problem(notice, row, tools)
    if problem is not None:
        kind, text = problem
        log.error(
            "payment not applied", extra={"alert": True, "out_trade_no": notice.out_trade_no, "why": text}
        )
        _open_case(kind, notice, row, text)
        return Verdict.CASE
    if notice.has_refund and not row.refunded_fen:
        _learn_refunds(row.id)
    if row.transaction_id is not None:
        return Verdict.DUPLICATE
    _mark_paid(row, notice, verified_by)
    faults.point("settle.after_paid")
    verdict = _fulfil(row, notice, tools)
    account = SALES if verdict is Verdict.SETTLED else UNAPPLIED
    post_payment(row.id, row.gateway, account, row.order_id, row.amount_fen, row.currency)
    faults.point("settle.after_booking")
    audit.record(
        "payment.settled",
        f"order:{row.order_public_id}",
        audit.SYSTEM,
        out_trade_no=row.out_trade_no,
        transaction_id=notice.transaction_id,
        amount_fen=row.amount_fen,
        verified_by=verified_by.value,
        verdict=verdict.value,
    )
    return verdict


def _learn_refunds(payment_id: int) -> None:
    """Put on record that some of a payment went back and nobody here knows of it: refunds are asked about."""
    effect_key = f"learn_refunds:{payment_id}"
    if not outbox.is_recorded(effect_key):
        outbox.add("learn_refunds", effect_key, payment_id)


def _problem(notice: PaymentNotice, row: Any, tools: Tools) -> tuple[CaseKind, str] | None:
    """Say why a genuine notice must not be applied (I8), or None."""
    if (notice.mchid, notice.appid) != account_at(notice.gateway, tools):
        return CaseKind.FOREIGN, "another merchant or app"
    if row is None or row.gateway != notice.gateway:
        return CaseKind.UNKNOWN_ORDER, "no such order number"
    if row.mode != tools.settings.PORTAL_MODE or (row.mchid, row.appid) != (notice.mchid, notice.appid):
        return CaseKind.FOREIGN, "another mode, merchant or app than the attempt's"
    # `amount.total`, never what the payer paid: that is smaller when WeChat's coupons pay a part.
    if (notice.amount_fen, notice.currency) != (row.amount_fen, row.currency):
        return CaseKind.MISMATCH, "amount or currency"
    if notice.trade_type != TRADE_TYPES[notice.gateway]:
        return CaseKind.MISMATCH, "trade type"
    if row.transaction_id is not None and row.transaction_id != notice.transaction_id:
        return CaseKind.DUPLICATE, "the attempt was paid by another transaction"
    return None


def account_at(gateway: str, tools: Tools) -> tuple[str, str]:
    """Return our merchant and app at a gateway. All transfers are of one account, so that a number pays once."""
    if gateway == TRANSFER:
        return TRANSFER, TRANSFER
    at_gateway = tools.gateway(gateway)
    return at_gateway.mchid, at_gateway.appid


def case_cause(gateway: str, mchid: str, out_trade_no: str, transaction_id: str | None) -> str:
    """Return what cases about a payment that cannot be applied are known by, whoever brought the news."""
    return f"{gateway}:{mchid}:{out_trade_no}:{transaction_id}"


def _open_case(kind: CaseKind, notice: PaymentNotice, row: Any, text: str) -> None:
    evidence = asdict(notice)
    evidence["paid_at"] = clock.iso(notice.paid_at) if notice.paid_at else None
    del evidence["payer_hash"]
    cause = case_cause(notice.gateway, notice.mchid, notice.out_trade_no, notice.transaction_id)
    if kind is CaseKind.MISMATCH and notice.gateway == TRANSFER:
        # People correct what they typed: another amount is another cause.
        cause = f"{cause}:{notice.amount_fen}"
    open_case(
        kind,
        cause,
        {**evidence, "why": text, "expected_fen": row.amount_fen if row else None},
        order_id=row.order_id if row else None,
        payment_id=row.id if row else None,
        amount_fen=notice.amount_fen,
        currency=(notice.currency or "")[:3],
    )
    if row is not None:
        touch(row.order_id)


def _mark_paid(row: Any, notice: PaymentNotice, verified_by: VerifiedBy) -> None:
    moved = run(
        _MARK_PAID,
        {
            "payment": row.id,
            "transaction_id": notice.transaction_id,
            "payer_hash": notice.payer_hash,
            "verified_by": verified_by.value,
            "paid_at": notice.paid_at or clock.now(),
        },
    )
    if not changed_one(moved):
        raise ChangedMeanwhile(row.out_trade_no)


def _fulfil(row: Any, notice: PaymentNotice, tools: Tools) -> Verdict:
    """Give the learner what was paid for, or open a case when it buys nothing more."""
    if row.order_status in (OrderStatus.PAID, OrderStatus.COMPLETED, OrderStatus.REFUNDED):
        _open_case(CaseKind.DUPLICATE, notice, row, "the order was paid by another attempt; refund proposed")
        return Verdict.CASE
    if licenses.is_owned(row.learner_id, row.product_id):
        _open_case(
            CaseKind.LATE_UNWANTED, notice, row, "the learner owns the course already; refund proposed"
        )
        return Verdict.CASE
    grant = _grant(row)
    entitlement_id = licenses.grant_entitlement(grant)
    faults.point("settle.after_right")
    now = clock.now()
    try:
        license_id = licenses.sign_license(entitlement_id, grant, tools.key_ring)
    except NoSigningKey as error:
        log.error("no signing key", extra={"alert": True, "why": str(error)})
        move_order(row.order_id, OrderStatus.PAID, paid_at=now)
        outbox.add("issue_license", f"issue_license:{entitlement_id}", entitlement_id)
        return Verdict.SETTLED
    move_order(row.order_id, OrderStatus.COMPLETED, paid_at=now, completed_at=now)
    outbox.add("mail_license", f"mail_license:{license_id}", license_id)
    return Verdict.SETTLED


def _grant(row: Any) -> licenses.Grant:
    facts = run(_SUBJECT, {"course": row.product_id, "learner": row.learner_id}).one()
    return licenses.Grant(
        learner_id=row.learner_id,
        subject=facts.public_id,
        course_id=row.product_id,
        order_id=row.order_id,
        payment_id=row.id,
        license_days=row.license_days,
        max_downloads=row.max_downloads,
        gitee=facts.gitee,
    )


@transactional
def issue_late_license(entitlement_id: int, tools: Tools) -> bool:
    """Sign the license of a paid order whose key was missing; return whether it is (now) there.

    A right that was revoked meanwhile, with a refund of a part, gets none, and its order ends without.

    Raises:
        NoSigningKey: when the key is still missing.
    """
    out_trade_no = db.session.scalar(
        sa.select(Payment.out_trade_no)
        .join(Entitlement, Entitlement.payment_id == Payment.id)
        .where(Entitlement.id == entitlement_id)
    )
    row = lock_payment(out_trade_no) if out_trade_no else None
    if row is None or row.order_status != OrderStatus.PAID:
        return True
    # Whoever revokes it holds the payment's lock, as this does.
    if not licenses.is_active(entitlement_id):
        move_order(row.order_id, OrderStatus.COMPLETED, completed_at=clock.now())
        return True
    license_id = licenses.sign_license(entitlement_id, _grant(row), tools.key_ring)
    move_order(row.order_id, OrderStatus.COMPLETED, completed_at=clock.now())
    outbox.add("mail_license", f"mail_license:{license_id}", license_id)
    faults.point("late.before_commit")
    audit.record("license.issued", f"order:{row.order_public_id}", audit.SYSTEM, license_id=license_id)
    return True
