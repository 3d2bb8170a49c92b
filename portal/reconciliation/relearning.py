"""After a restored backup: ask the gateway what became of every attempt since, before the bills say the rest (F44)."""

import logging
from datetime import datetime

import sqlalchemy as sa

from portal.gateways.base import GatewayError
from portal.kit import clock
from portal.kit.db import db, transactional
from portal.outbox import services as outbox
from portal.payments.models import Payment, VerifiedBy
from portal.payments.settle import settle_payment
from portal.refunds.call import learn_refunds
from portal.tools import Tools

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.2


def ask_about_attempts(gateway: str, since: datetime, tools: Tools) -> int:
    """Query every attempt begun since then, at most 5 a second; settle what was paid, and learn of what went back since.

    Those we know to be paid are asked about too: a refund that nobody here knows is found, or a case, before this ends.
    Returns how many were asked about. One without an answer is left to its sweep and to the bill.
    """
    attempts = db.session.execute(
        sa.select(Payment.id, Payment.out_trade_no)
        .where(Payment.gateway == gateway, Payment.created_at >= since)
        .order_by(Payment.id)
    ).all()
    for payment_id, out_trade_no in attempts:
        try:
            notice = tools.gateway(gateway).query_payment(out_trade_no)
        except GatewayError as error:
            log.warning("no answer", extra={"out_trade_no": out_trade_no, "why": error.reason})
        else:
            settle_payment(notice, VerifiedBy.QUERY, tools)
            _learn_refunds(payment_id, tools)
        clock.sleep(_PAUSE_SECONDS)
    return len(attempts)


def _learn_refunds(payment_id: int, tools: Tools) -> None:
    """Do now what settling put on record, if it did; without an answer the worker does it, on hold too."""
    if outbox.is_waiting("learn_refunds", payment_id) and learn_refunds(payment_id, tools):
        _note_learned(payment_id)


@transactional
def _note_learned(payment_id: int) -> None:
    outbox.settle_effect(f"learn_refunds:{payment_id}")
