"""Staff say what came: confirmed it is settled as any payment is, refused the learner is told why.

Locks are taken in the order of `payments/settle.py`: payment and order, then the transfer.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.approvals.services import (
    ChangedSinceAsked,
    OwnRequest,
    check_approver,
    digest_of,
    may_act_alone,
)
from portal.audit import services as audit
from portal.cases.models import Case, CaseKind
from portal.cases.services import resolve_case, settle_case
from portal.gateways.base import PaymentNotice, PaymentState
from portal.grants.models import Grant
from portal.kit import clock
from portal.kit.db import changed_one, db, transactional
from portal.kit.errors import Conflict, Invalid, NotFound
from portal.learners.models import Learner
from portal.orders.models import OrderStatus
from portal.orders.services import extend, move_order, touch
from portal.outbox import services as outbox
from portal.payments.attempts import TRANSFER, end_attempt
from portal.payments.close import finish_closing
from portal.payments.models import (
    Payment,
    PaymentStatus,
    TransferNumber,
    TransferStatus,
    Verdict,
    VerifiedBy,
)
from portal.payments.numbers import claim_number, order_of_number, plain_number
from portal.payments.rights import checked_reason
from portal.payments.settle import TRADE_TYPES, lock_payment, settle_payment
from portal.pictures.formats import Stripped
from portal.pictures.models import Picture
from portal.pictures.services import keep_picture
from portal.tools import Tools
from portal.transfers.models import Transfer
from portal.transfers.tell import PATIENCE, AlreadyDecided, expect_decision, transfer_for_update

_NUMBER = re.compile(r"[0-9A-Z]{6,64}", re.ASCII)
UNDECIDED = (TransferStatus.WAITING, TransferStatus.TOLD, TransferStatus.MISMATCH)
_CONFIRMABLE = (*UNDECIDED, TransferStatus.REFUSED)
_TAKEN_BACK = (TransferStatus.CHECKED, TransferStatus.MISMATCH, TransferStatus.REFUSED)


class BadNumber(Invalid):
    """The number of a transfer has 6 to 64 letters, digits and hyphens."""

    code = "bad_number"


class NoPicture(Invalid):
    """Neither the learner nor the staff showed a picture of the transfer."""

    code = "no_picture"


class NumberUsed(Conflict):
    """The transfer's number stands for another order, payment or grant; `facts["what"]` names it."""

    code = "number_used"


@dataclass(frozen=True)
class Received:
    """What a person saw in the receiver's WeChat. `picture` None: the learner's, or one shown before, is enough."""

    amount_fen: int
    number: str
    picture: Stripped | None = None


@transactional
def check_transfer(
    person: Learner, reference: str, received: Received, courses: Collection[str] | None, tools: Tools
) -> TransferStatus:
    """Enter what came. The order's amount confirms it, at once where one person is enough; another is a case.

    Args:
        courses: only transfers for these courses; None for all.

    Returns how the transfer stands now.

    Raises:
        NotFound: there is no such transfer.
        OwnRequest: it is the person's own purchase.
        AlreadyDecided, BadNumber, NumberUsed, NoPicture: nothing was recorded.
    """
    payment, transfer = _locked(reference, courses)
    if transfer.status not in _CONFIRMABLE:
        raise AlreadyDecided
    if payment.learner_id == person.id:
        raise OwnRequest
    number = plain_number(received.number)
    _take_number(number, transfer)
    _enter(person, transfer, received, number)
    audit.record(
        "transfer.checked",
        f"order:{payment.order_public_id}",
        _actor(person),
        reference=reference,
        amount_fen=received.amount_fen,
        number=number,
        digest=digest(transfer),
    )
    _close_mismatches(transfer, "entered anew")
    if received.amount_fen != payment.amount_fen:
        _settle(payment, transfer, TransferStatus.MISMATCH, tools)
    elif may_act_alone(person.id, payment.amount_fen, tools.settings):
        _settle(payment, transfer, TransferStatus.CONFIRMED, tools)
        _note_confirmed(payment, transfer, person)
    else:
        extend(transfer.order_id, clock.now() + PATIENCE)
        expect_decision(transfer)
    return TransferStatus(transfer.status)


def _actor(person: Learner) -> str:
    return f"staff:{person.public_id}"


def _locked(reference: str, courses: Collection[str] | None) -> tuple[Any, Transfer]:
    query = (
        sa.select(Payment.out_trade_no, Transfer.id)
        .join(Transfer, Transfer.payment_id == Payment.id)
        .where(Transfer.reference == reference)
    )
    if courses is not None:
        query = query.where(Transfer.course_id.in_(courses))
    found = db.session.execute(query).first()
    if found is None:
        raise NotFound
    payment = lock_payment(found.out_trade_no)
    return payment, transfer_for_update(found.id)


def _take_number(number: str, transfer: Transfer) -> None:
    """Let a number stand for a transfer's payment, as long as it stands for nothing else."""
    if not _NUMBER.fullmatch(number):
        raise BadNumber
    claim_number(number, transfer.payment_id)
    given = sa.select(Grant.public_id).where(Grant.reference_key == number)
    other = order_of_number(number, besides=transfer.payment_id) or db.session.scalar(
        given.with_for_update(read=True)
    )
    if other is not None:
        raise NumberUsed(what=other)


def _enter(person: Learner, transfer: Transfer, received: Received, number: str) -> None:
    if received.picture is not None:
        transfer.picture_id = keep_picture(received.picture)
    if transfer.picture_id is None and transfer.told_picture_id is None:
        raise NoPicture
    transfer.status = TransferStatus.CHECKED.value
    transfer.amount_fen = received.amount_fen
    transfer.number = number
    transfer.checked_by, transfer.checked_at = person.id, clock.now()
    transfer.approved_by = transfer.refusal = transfer.decided_at = None
    db.session.flush()
    touch(transfer.order_id)


def digest(transfer: Transfer) -> str:
    """Return the digest of what is to be confirmed: which payment, how much came, by which transfer, who saw it."""
    pictures = (transfer.picture_id, transfer.told_picture_id)
    shown = sorted(db.session.scalars(sa.select(Picture.sha256).where(Picture.id.in_(pictures))))
    return digest_of(
        payment_id=transfer.payment_id,
        amount_fen=transfer.amount_fen,
        number=transfer.number,
        checked_by=transfer.checked_by,
        pictures=",".join(shown),
    )


@transactional
def approve_transfer(
    person: Learner, reference: str, shown: str, courses: Collection[str] | None, tools: Tools
) -> TransferStatus:
    """Agree with what another entered, and settle it.

    Args:
        shown: the digest of what the approver was shown.

    Raises:
        NotFound, AlreadyDecided, OwnRequest, ChangedSinceAsked: nothing was done.
        NumberUsed: the transfer has come to stand for something else meanwhile.
    """
    payment, transfer = _locked(reference, courses)
    if transfer.status != TransferStatus.CHECKED:
        raise AlreadyDecided
    if payment.learner_id == person.id:
        raise OwnRequest
    assert transfer.checked_by is not None
    check_approver(transfer.checked_by, person.id, tools.settings)
    if shown != digest(transfer):
        raise ChangedSinceAsked
    assert transfer.number is not None
    _take_number(transfer.number, transfer)
    if person.id != transfer.checked_by:
        transfer.approved_by = person.id
    _settle(payment, transfer, TransferStatus.CONFIRMED, tools)
    _note_confirmed(payment, transfer, person)
    return TransferStatus(transfer.status)


def _settle(payment: Any, transfer: Transfer, target: TransferStatus, tools: Tools) -> None:
    """Bring the money to the one place that makes it a fact; another amount becomes a case there."""
    assert transfer.number is not None
    notice = PaymentNotice(
        gateway=TRANSFER,
        mchid=TRANSFER,
        appid=TRANSFER,
        out_trade_no=payment.out_trade_no,
        state=PaymentState.PAID,
        transaction_id=transfer.number,
        trade_type=TRADE_TYPES[TRANSFER],
        amount_fen=transfer.amount_fen,
        currency=payment.currency,
        paid_at=clock.now(),
    )
    db.session.flush()
    verdict = settle_payment(notice, VerifiedBy.PERSON, tools)
    if verdict is Verdict.CASE and target is TransferStatus.CONFIRMED:
        # The money bought nothing: no more is to be waited for.
        finish_closing(payment.out_trade_no)
    _move(transfer, (TransferStatus.CHECKED,), target)
    outbox.settle_effect(f"transfer_overdue:{transfer.id}")
    settle_case(CaseKind.TRANSFER_WAITING, transfer.reference, "decided")


def _note_confirmed(payment: Any, transfer: Transfer, person: Learner) -> None:
    audit.record(
        "transfer.confirmed",
        f"order:{payment.order_public_id}",
        _actor(person),
        reference=transfer.reference,
        amount_fen=transfer.amount_fen,
        number=transfer.number,
        alone=transfer.approved_by is None,
    )


def _close_mismatches(transfer: Transfer, why: str) -> None:
    """End the cases about what was entered before: what is entered now counts."""
    earlier = sa.select(Case.id).where(
        Case.payment_id == transfer.payment_id, Case.kind == CaseKind.MISMATCH.value
    )
    for case_id in db.session.scalars(earlier):
        resolve_case(case_id, why)


def _move(
    transfer: Transfer, sources: Collection[TransferStatus], target: TransferStatus, **values: Any
) -> None:
    """Move a transfer on by compare-and-set, whatever the lock before was worth.

    Raises:
        AlreadyDecided: somebody was faster.
    """
    moved = db.session.execute(
        sa.update(Transfer)
        .where(Transfer.id == transfer.id, Transfer.status.in_([source.value for source in sources]))
        .values(status=target.value, decided_at=clock.now(), **values)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(moved):
        raise AlreadyDecided
    db.session.refresh(transfer)
    touch(transfer.order_id)


@transactional
def send_back(person: Learner, reference: str, reason: str, courses: Collection[str] | None) -> None:
    """Take what was entered back, one's own or another's: it is to be looked at anew, and its numbers are free.

    A refused transfer stays refused; what was entered before its refusal counts no more.

    Raises:
        NotFound, AlreadyDecided, BadReason: nothing was done.
    """
    reason = checked_reason(reason)
    payment, transfer = _locked(reference, courses)
    if transfer.status not in _TAKEN_BACK or transfer.number is None:
        raise AlreadyDecided
    if transfer.status == TransferStatus.REFUSED:
        status = TransferStatus.REFUSED
    else:
        status = TransferStatus.WAITING if transfer.told_at is None else TransferStatus.TOLD
    _move(transfer, _TAKEN_BACK, status, number=None)
    db.session.execute(sa.delete(TransferNumber).where(TransferNumber.payment_id == transfer.payment_id))
    _close_mismatches(transfer, "entered in error")
    if status is TransferStatus.TOLD:
        expect_decision(transfer)
    audit.record("transfer.sent_back", f"order:{payment.order_public_id}", _actor(person), reason=reason)


@transactional
def refuse_transfer(person: Learner, reference: str, reason: str, courses: Collection[str] | None) -> None:
    """Say that no such money came. The order ends, and the learner gets a mail with the reason.

    Money that shows up later can still be confirmed: then it is late, and honoured as such.

    Raises:
        NotFound, AlreadyDecided, BadReason: nothing was done.
    """
    reason = checked_reason(reason)
    payment, transfer = _locked(reference, courses)
    if transfer.status not in UNDECIDED:
        raise AlreadyDecided
    _move(transfer, UNDECIDED, TransferStatus.REFUSED, refusal=reason)
    end_attempt(transfer.payment_id, PaymentStatus.CLOSED)
    if payment.order_status == OrderStatus.PENDING:
        move_order(transfer.order_id, OrderStatus.FAILED, closed_at=clock.now())
    outbox.settle_effect(f"transfer_overdue:{transfer.id}")
    settle_case(CaseKind.TRANSFER_WAITING, transfer.reference, "refused")
    # It may be refused again, after somebody looked again.
    moment = clock.iso(transfer.decided_at) if transfer.decided_at else ""
    outbox.add("mail_transfer_refused", f"mail_transfer_refused:{transfer.id}:{moment}", transfer.id)
    audit.record("transfer.refused", f"order:{payment.order_public_id}", _actor(person), reason=reason)
