"""Decide about a requested refund: approve, refuse, withdraw, change what becomes of the license."""

from typing import Any

import sqlalchemy as sa

from portal.approvals import services as approvals
from portal.audit import services as audit
from portal.kit import faults
from portal.kit.db import db, transactional
from portal.kit.errors import Conflict, NotFound
from portal.learners.models import Learner
from portal.outbox import services as outbox
from portal.refunds.models import LicenseEffect, Origin, Refund, RefundStatus
from portal.refunds.request import checked_reason, digest_of, effect_of, mark_approved
from portal.refunds.reserve import let_go, lock_refund, show_on_order
from portal.switchboard.hold import check_not_on_hold
from portal.tools import Tools


class AlreadyDecided(Conflict):
    """Somebody was faster; the refund is not waiting for a decision any more."""

    code = "already_decided"


def _requested(out_refund_no: str, digest: str | None) -> tuple[Any, Refund]:
    payment, refund = lock_refund(out_refund_no)
    if refund.status != RefundStatus.REQUESTED:
        raise AlreadyDecided
    if digest is not None and digest != digest_of(refund):
        raise approvals.ChangedSinceAsked
    return payment, refund


def _person_id(actor: str) -> int:
    public_id = actor.partition(":")[2]
    return db.session.execute(sa.select(Learner.id).where(Learner.public_id == public_id)).scalar_one()


def approve(person: Learner, out_refund_no: str, digest: str, tools: Tools) -> Refund:
    """Approve what the person was shown; the worker sends it to the gateway.

    A learner's request beyond what one person may decide needs two of the staff: the first approval endorses it.

    Args:
        digest: of what the page showed (`digest_of`).

    Raises:
        NotFound: there is no such refund.
        AlreadyDecided, ChangedSinceAsked: look again.
        OwnRequest: nobody approves what they asked for, or endorsed, or what goes back to themselves.
        OnHold: not before the hold is released.
    """
    refund = _approve(person, out_refund_no, digest, tools)
    faults.point("refund.after_approve")
    return refund


@transactional
def _approve(person: Learner, out_refund_no: str, digest: str, tools: Tools) -> Refund:
    check_not_on_hold()
    payment, refund = _requested(out_refund_no, digest)
    for other in (_person_id(refund.requested_by), payment.learner_id):
        approvals.check_approver(other, person.id, tools.settings)
    actor = f"staff:{person.public_id}"
    if refund.origin == Origin.LEARNER:
        if refund.endorsed_by is not None:
            approvals.check_approver(_person_id(refund.endorsed_by), person.id, tools.settings)
        elif not approvals.may_act_alone(person.id, refund.amount_fen, tools.settings):
            _endorse(refund, actor)
            return refund
    mark_approved(refund, actor if actor != refund.requested_by else None)
    return refund


def _endorse(refund: Refund, actor: str) -> None:
    refund.endorsed_by = actor
    db.session.flush()
    audit.record("refund.endorsed", f"refund:{refund.out_refund_no}", actor, digest=digest_of(refund))


@transactional
def refuse(person: Learner, out_refund_no: str, note: str) -> Refund:
    """Refuse a request and say why; what it held is free again, and the learner who asked gets a mail.

    Raises:
        NotFound, AlreadyDecided, BadReason.
    """
    note = checked_reason(note)
    _, refund = _requested(out_refund_no, None)
    actor = f"staff:{person.public_id}"
    let_go(refund, RefundStatus.REFUSED, decision_note=note)
    if refund.origin == Origin.LEARNER:
        outbox.add("mail_refund_refused", f"mail_refund_refused:{refund.id}", refund.id)
    show_on_order(refund.payment_id, refund.order_id)
    audit.record("refund.refused", f"refund:{refund.out_refund_no}", actor, note=note)
    return refund


@transactional
def withdraw(learner: Learner, out_refund_no: str) -> Refund:
    """Take back one's own request while nobody has decided.

    Raises:
        NotFound: there is none, or it is another's.
        AlreadyDecided.
    """
    actor = f"learner:{learner.public_id}"
    own = sa.select(Refund.id).where(Refund.out_refund_no == out_refund_no, Refund.requested_by == actor)
    if db.session.scalar(own) is None:
        raise NotFound
    _, refund = _requested(out_refund_no, None)
    let_go(refund, RefundStatus.WITHDRAWN)
    show_on_order(refund.payment_id, refund.order_id)
    audit.record("refund.withdrawn", f"refund:{refund.out_refund_no}", actor)
    return refund


@transactional
def change_effect(person: Learner, out_refund_no: str, effect: LicenseEffect, digest: str) -> Refund:
    """Decide what becomes of the license when a part goes back; whoever endorsed the request has to look again.

    Raises:
        NotFound, AlreadyDecided, ChangedSinceAsked.
    """
    payment, refund = _requested(out_refund_no, digest)
    is_all = refund.amount_fen == payment.amount_fen
    refund.license_effect = effect_of(refund.payment_id, is_all, effect).value
    refund.endorsed_by = None
    db.session.flush()
    actor = f"staff:{person.public_id}"
    audit.record("refund.changed", f"refund:{refund.out_refund_no}", actor, license_effect=effect.value)
    return refund
