"""Settle payments that only the bill knows (F18, F44), by the one way to PAID."""

import logging
from typing import Any

import sqlalchemy as sa

from portal.gateways.base import BillKind, GatewayError, PaymentNotice, PaymentState
from portal.kit.db import db
from portal.payments.models import Payment, VerifiedBy
from portal.payments.settle import settle_payment
from portal.reconciliation.models import BillRun, ImportedLine, Source
from portal.tools import Tools

log = logging.getLogger(__name__)


def settle_missing(run: BillRun, tools: Tools) -> None:
    """Settle the payments of a bill that we do not have, each in its own transaction.

    A bill that the gateway gave us proves a payment. One from a file proves nothing: it only says what to ask the
    gateway about.
    """
    for line in _unknown_payments(run):
        if run.source == Source.GATEWAY:
            settle_payment(_notice(run, line), VerifiedBy.BILL, tools)
        elif line.payment_id is not None:
            try:
                notice = tools.gateway(run.gateway).query_payment(line.out_trade_no)
            except GatewayError as error:
                log.warning("no answer", extra={"out_trade_no": line.out_trade_no, "why": error.reason})
                continue
            settle_payment(notice, VerifiedBy.QUERY, tools)


def _unknown_payments(run: BillRun) -> list[Any]:
    by_transaction, by_number = sa.orm.aliased(Payment), sa.orm.aliased(Payment)
    query = (
        sa.select(
            ImportedLine.appid,
            ImportedLine.out_trade_no,
            ImportedLine.transaction_id,
            ImportedLine.trade_type,
            ImportedLine.amount_fen,
            ImportedLine.currency,
            ImportedLine.at,
            by_number.id.label("payment_id"),
        )
        .outerjoin(
            by_transaction,
            sa.and_(
                by_transaction.gateway == ImportedLine.gateway,
                by_transaction.mchid == ImportedLine.mchid,
                by_transaction.transaction_id == ImportedLine.transaction_id,
            ),
        )
        .outerjoin(by_number, by_number.out_trade_no == ImportedLine.out_trade_no)
        .where(
            ImportedLine.run_id == run.id,
            ImportedLine.kind == BillKind.PAYMENT.value,
            by_transaction.id.is_(None),
        )
        .order_by(ImportedLine.id)
    )
    return list(db.session.execute(query))


def _notice(run: BillRun, line: Any) -> PaymentNotice:
    return PaymentNotice(
        gateway=run.gateway,
        mchid=run.mchid,
        appid=line.appid,
        out_trade_no=line.out_trade_no,
        state=PaymentState.PAID,
        transaction_id=line.transaction_id,
        trade_type=line.trade_type,
        amount_fen=line.amount_fen,
        currency=line.currency,
        paid_at=line.at,
    )
