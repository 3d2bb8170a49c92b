"""Settle refunds of which only the bill knows, or knows the end (F29), by the one way to SUCCEEDED."""

import logging
from typing import Any

import sqlalchemy as sa

from portal.gateways.base import BillKind, BillState, GatewayError, RefundNotice, RefundState
from portal.kit.db import db
from portal.payments.models import Payment, VerifiedBy
from portal.reconciliation.models import BillRun, ImportedLine, Source
from portal.reconciliation.refund_differences import SAME_REFUND
from portal.refunds.models import Refund, RefundStatus
from portal.refunds.settle import settle_refund
from portal.tools import Tools

log = logging.getLogger(__name__)

_STATES = {
    BillState.SUCCESS: RefundState.SUCCESS,
    BillState.PROCESSING: RefundState.PROCESSING,
    BillState.ABNORMAL: RefundState.ABNORMAL,
    BillState.CLOSED: RefundState.CLOSED,
}


def settle_missing_refunds(run: BillRun, tools: Tools) -> None:
    """Settle the refunds of a bill that we do not have, or not as done, each in its own transaction.

    As with payments, a bill from a file only says what to ask the gateway about. To be done after the bill's
    payments are settled: a refund is booked on its payment.
    """
    for line in _unknown_refunds(run):
        if run.source == Source.GATEWAY:
            settle_refund(_notice(run, line), VerifiedBy.BILL, tools)
        elif line.payment_id is not None:
            try:
                notice = tools.gateway(run.gateway).query_refund(line.out_refund_no)
            except GatewayError as error:
                log.warning("no answer", extra={"out_refund_no": line.out_refund_no, "why": error.reason})
                continue
            settle_refund(notice, VerifiedBy.QUERY, tools)


def _unknown_refunds(run: BillRun) -> list[Any]:
    query = (
        sa.select(
            ImportedLine.out_refund_no,
            ImportedLine.refund_id,
            ImportedLine.out_trade_no,
            ImportedLine.transaction_id,
            ImportedLine.state,
            ImportedLine.amount_fen,
            ImportedLine.currency,
            Payment.id.label("payment_id"),
        )
        .outerjoin(Refund, SAME_REFUND)
        .outerjoin(
            Payment,
            sa.and_(
                Payment.out_trade_no == ImportedLine.out_trade_no, Payment.gateway == ImportedLine.gateway
            ),
        )
        .where(
            ImportedLine.run_id == run.id,
            ImportedLine.kind == BillKind.REFUND.value,
            sa.or_(
                Refund.id.is_(None),
                sa.and_(
                    ImportedLine.state == BillState.SUCCESS.value,
                    Refund.status != RefundStatus.SUCCEEDED.value,
                ),
            ),
        )
        .order_by(ImportedLine.id)
    )
    return list(db.session.execute(query))


def _notice(run: BillRun, line: Any) -> RefundNotice:
    # The moment of a line may be the payment's, so when the money went back is not told.
    return RefundNotice(
        gateway=run.gateway,
        mchid=run.mchid,
        out_refund_no=line.out_refund_no,
        state=_STATES[BillState(line.state)],
        refund_id=line.refund_id,
        out_trade_no=line.out_trade_no,
        transaction_id=line.transaction_id,
        amount_fen=line.amount_fen,
        currency=line.currency,
    )
