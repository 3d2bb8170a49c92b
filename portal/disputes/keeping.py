"""Keep what a gateway told of a complaint: the newest facts, and each step of its history once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.disputes.models import Dispute, DisputeEntry, DisputePicture
from portal.gateways.complaints import Complaint, ComplaintEntry, ComplaintState, EntryKind
from portal.kit import clock
from portal.kit.db import ChangedMeanwhile, add_row, changed_one, db, transactional
from portal.payments.models import Payment

FIRST_REPLY = timedelta(hours=24)
DONE = timedelta(hours=72)
"""What WeChat Pay asks of merchants, from the complaint on (kf.qq.com/faq/230125a6NbmA230125vMNZnE)."""
_ANSWERS = {EntryKind.REPLIED, EntryKind.REFUND_APPROVED, EntryKind.REFUND_REJECTED}


@transactional
def keep(complaint: Complaint, history: Sequence[ComplaintEntry], asked_at: datetime) -> int:
    """Keep a complaint as it was told, and return the dispute's id.

    Args:
        history: every step, in order.
        asked_at: when the gateway was asked. What a later question was answered stays.
    """
    known = _known(complaint)
    facts = _facts(complaint, history, known, asked_at)
    if known is None:
        dispute_id = _add(complaint, facts)
    else:
        dispute_id = known.id
        if known.read_at <= asked_at:
            _change(known, facts)
    _add_entries(dispute_id, history)
    _add_pictures(
        dispute_id, [*complaint.pictures, *(media for entry in history for media in entry.pictures)]
    )
    return dispute_id


def _known(complaint: Complaint) -> Dispute | None:
    return db.session.scalars(
        sa.select(Dispute)
        .where(
            Dispute.gateway == complaint.gateway,
            Dispute.mchid == complaint.mchid,
            Dispute.complaint_id == complaint.complaint_id,
        )
        .execution_options(populate_existing=True)
    ).first()


def _facts(
    complaint: Complaint, history: Sequence[ComplaintEntry], known: Dispute | None, asked_at: datetime
) -> dict[str, Any]:
    begun_at = _begun_at(complaint, history, known)
    answers = [entry.at for entry in history if entry.kind in _ANSWERS and entry.at >= begun_at]
    is_done = complaint.state is ComplaintState.PROCESSED
    ended_at = history[-1].at if history else asked_at
    return {
        "state": complaint.state.value,
        "problem_type": complaint.problem_type.value,
        "problem": complaint.problem,
        "text": complaint.text,
        "times": complaint.times,
        "is_waiting": complaint.is_waiting,
        "is_refunded": complaint.is_refunded,
        "wanted_fen": complaint.wanted_fen,
        "sealed_phone": complaint.sealed_phone,
        "first_due_at": begun_at + FIRST_REPLY,
        "done_due_at": begun_at + DONE,
        "answered_at": answers[0] if answers else None,
        "completed_at": ((known and known.completed_at) or ended_at) if is_done else None,
        "read_at": asked_at,
    }


def _begun_at(complaint: Complaint, history: Sequence[ComplaintEntry], known: Dispute | None) -> datetime:
    """Return when the deadlines began: with the complaint, or when the payer went on after its end."""
    went_on = max((entry.at for entry in history if entry.kind == EntryKind.WENT_ON), default=None)
    if known is None:
        return complaint.complained_at
    if went_on is not None and known.completed_at is not None and went_on >= known.completed_at:
        return went_on
    return known.first_due_at - FIRST_REPLY


def _add(complaint: Complaint, facts: dict[str, Any]) -> int:
    payment = _payment_of(complaint)
    dispute_id: int = add_row(
        Dispute,
        gateway=complaint.gateway,
        mchid=complaint.mchid,
        complaint_id=complaint.complaint_id,
        order_id=payment.order_id if payment else None,
        payment_id=payment.id if payment else None,
        out_trade_no=complaint.out_trade_no,
        transaction_id=complaint.transaction_id,
        amount_fen=complaint.amount_fen,
        complained_at=complaint.complained_at,
        created_at=clock.now(),
        **facts,
    )
    audit.record(
        "dispute.found",
        f"dispute:{dispute_id}",
        audit.SYSTEM,
        complaint_id=complaint.complaint_id,
        out_trade_no=complaint.out_trade_no,
        state=complaint.state.value,
    )
    if payment is None:
        evidence = {
            "gateway": complaint.gateway,
            "complaint_id": complaint.complaint_id,
            "out_trade_no": complaint.out_trade_no,
            "transaction_id": complaint.transaction_id,
        }
        cause = f"{complaint.gateway}:{complaint.mchid}:{complaint.complaint_id}"
        open_case(CaseKind.UNKNOWN_DISPUTE, cause, evidence, amount_fen=complaint.amount_fen, currency="CNY")
    return dispute_id


def _payment_of(complaint: Complaint) -> Payment | None:
    """Find the payment by our number, or by the gateway's."""
    mine = sa.select(Payment).where(Payment.gateway == complaint.gateway, Payment.mchid == complaint.mchid)
    for column, value in (
        (Payment.out_trade_no, complaint.out_trade_no),
        (Payment.transaction_id, complaint.transaction_id),
    ):
        found = db.session.scalars(mine.where(column == value)).first() if value else None
        if found is not None:
            return found
    return None


def _change(known: Dispute, facts: dict[str, Any]) -> None:
    changed = db.session.execute(
        sa.update(Dispute)
        .where(Dispute.id == known.id, Dispute.read_at == known.read_at)
        .values(**facts)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(changed):
        raise ChangedMeanwhile("another answer was first")
    if known.state != facts["state"]:
        audit.record(
            "dispute.state",
            f"dispute:{known.id}",
            audit.SYSTEM,
            before=known.state,
            after=facts["state"],
        )


def _add_entries(dispute_id: int, history: Sequence[ComplaintEntry]) -> None:
    kept = set(
        db.session.scalars(sa.select(DisputeEntry.log_id).where(DisputeEntry.dispute_id == dispute_id))
    )
    for entry in history:
        if entry.log_id not in kept:
            kept.add(entry.log_id)
            add_row(
                DisputeEntry,
                dispute_id=dispute_id,
                log_id=entry.log_id,
                at=entry.at,
                operator=entry.operator,
                kind=entry.kind,
                text=entry.text,
            )


def _add_pictures(dispute_id: int, media_ids: Sequence[str]) -> None:
    kept = set(
        db.session.scalars(sa.select(DisputePicture.media_id).where(DisputePicture.dispute_id == dispute_id))
    )
    for media_id in dict.fromkeys(media_ids):
        if media_id not in kept:
            add_row(DisputePicture, dispute_id=dispute_id, media_id=media_id)
