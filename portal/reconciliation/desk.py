"""What staff do about a day: have it reconciled, adopt what we lack, take the original file."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from portal.audit import services as audit
from portal.gateways.base import BillKind
from portal.kit import ids
from portal.kit.db import db, transactional
from portal.kit.errors import Conflict, NotFound
from portal.outbox import services as outbox
from portal.payments.models import Payment, VerifiedBy
from portal.payments.settle import settle_payment
from portal.reconciliation.comparing import compare
from portal.reconciliation.importing import run_of
from portal.reconciliation.models import BillDifference, BillPart, BillRun, DifferenceKind, ImportedLine
from portal.refunds.settle import settle_refund
from portal.tools import Tools

_KIND = "reconcile_day"


class NotAdoptable(Conflict):
    """There is no order of ours that the money could be for."""

    code = "not_adoptable"


@transactional
def ask_to_reconcile(gateway: str, mchid: str, day: date, actor: str) -> None:
    """Have the worker reconcile a day now; asking again while it waits asks once."""
    run_id = run_of(gateway, mchid, day)
    if outbox.is_waiting(_KIND, run_id):
        outbox.hasten_all(_KIND, run_id)
    else:
        outbox.add(_KIND, f"{_KIND}:{run_id}:{ids.new_public_id()}", run_id)
    audit.record("bill.asked_for", f"bill:{gateway}:{day}", actor)


def is_running(run_id: int) -> bool:
    """Tell whether the worker is to reconcile the day now, or is at it."""
    return outbox.is_waiting(_KIND, run_id, is_due=True)


def adopt(run_id: int, difference_id: int, tools: Tools, actor: str) -> bool:
    """Ask the gateway about a payment or refund that we lack, settle what it says, and compare again.

    Returns whether the difference is gone.

    Raises:
        NotFound: there is no such difference in this run.
        NotAdoptable: no order of ours has the number of the payment, or of the one the refund is of.
        GatewayError: no believable answer; nothing changed.
    """
    if not ids.is_row_id(difference_id):
        raise NotFound
    found = db.session.execute(
        sa.select(
            BillDifference.kind,
            BillDifference.subject,
            BillRun.gateway,
            ImportedLine.out_trade_no,
            ImportedLine.out_refund_no,
        )
        .join(BillRun, BillRun.id == BillDifference.run_id)
        .outerjoin(ImportedLine, ImportedLine.id == BillDifference.line_id)
        .where(BillDifference.id == difference_id, BillDifference.run_id == run_id)
    ).first()
    if found is None:
        raise NotFound
    if found.kind != DifferenceKind.MISSING_HERE or not _is_ours(found.out_trade_no):
        raise NotAdoptable
    gateway = tools.gateway(found.gateway)
    if found.subject == BillKind.REFUND:
        settle_refund(gateway.query_refund(found.out_refund_no), VerifiedBy.QUERY, tools)
    else:
        settle_payment(gateway.query_payment(found.out_trade_no), VerifiedBy.QUERY, tools)
    _note_adoption(difference_id, actor)
    compare(run_id)
    return (
        db.session.scalar(sa.select(BillDifference.resolved_at).where(BillDifference.id == difference_id))
        is not None
    )


def _is_ours(out_trade_no: str) -> bool:
    return db.session.scalar(sa.select(Payment.id).where(Payment.out_trade_no == out_trade_no)) is not None


@transactional
def _note_adoption(difference_id: int, actor: str) -> None:
    audit.record("bill.adopted", f"bill_difference:{difference_id}", actor)


@transactional
def take_file(run_id: int, actor: str) -> Sequence[bytes]:
    """Return the bill's file as it came, in pieces, and keep who took it.

    Raises:
        NotFound: the day has no bill.
    """
    parts = db.session.scalars(
        sa.select(BillPart.content).where(BillPart.run_id == run_id).order_by(BillPart.number)
    ).all()
    if not parts:
        raise NotFound
    run = db.session.get_one(BillRun, run_id)
    audit.record("bill.downloaded", f"bill:{run.gateway}:{run.bill_date}", actor, sha1=run.sha1)
    return parts
