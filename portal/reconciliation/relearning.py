"""After a restored backup: ask the gateway what became of every attempt since, before the bills say the rest (F44)."""

import logging
from datetime import datetime

import sqlalchemy as sa

from portal.gateways.base import GatewayError
from portal.kit import clock
from portal.kit.db import db
from portal.payments.models import Payment, VerifiedBy
from portal.payments.settle import settle_payment
from portal.tools import Tools

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.2


def ask_about_attempts(gateway: str, since: datetime, tools: Tools) -> int:
    """Query every attempt begun since then, at most 5 a second; settle what was paid.

    Those we know to be paid are asked about too: the answer says whether some of it went back since. Returns how many
    were asked about. One without an answer is left to its sweep and to the bill.
    """
    numbers = db.session.scalars(
        sa.select(Payment.out_trade_no)
        .where(Payment.gateway == gateway, Payment.created_at >= since)
        .order_by(Payment.id)
    ).all()
    for out_trade_no in numbers:
        try:
            notice = tools.gateway(gateway).query_payment(out_trade_no)
        except GatewayError as error:
            log.warning("no answer", extra={"out_trade_no": out_trade_no, "why": error.reason})
        else:
            settle_payment(notice, VerifiedBy.QUERY, tools)
        clock.sleep(_PAUSE_SECONDS)
    return len(numbers)
