"""An operator's question to the gateway: what became of this order?"""

from dataclasses import dataclass

import sqlalchemy as sa

from portal.gateways.base import PaymentState
from portal.kit.db import db
from portal.kit.errors import Conflict, NotFound
from portal.orders.models import Order
from portal.payments.attempts import TRANSFER
from portal.payments.models import Payment, Verdict, VerifiedBy
from portal.payments.settle import settle_payment
from portal.tools import Tools


class NobodyToAsk(Conflict):
    """A transfer is between people: only they know of it."""

    code = "nobody_to_ask"


@dataclass(frozen=True)
class Asked:
    """The gateway's word on an attempt, and what became of it here."""

    order_public_id: str
    out_trade_no: str
    state: PaymentState
    transaction_id: str | None
    verdict: Verdict
    order_status: str
    payment_status: str


def ask_gateway(number: str, tools: Tools) -> Asked:
    """Ask about the latest attempt of an order, and apply the answer as a notification would be.

    Args:
        number: the order's public id, or our number at the gateway.

    Raises:
        NotFound: no order has this number.
        NobodyToAsk: it was to be paid by transfer, of which no gateway knows.
        GatewayError: no believable answer; nothing changed.
    """
    found = db.session.execute(
        sa.select(Payment.gateway, Payment.out_trade_no)
        .join(Order, Order.id == Payment.order_id)
        .where(sa.or_(Order.public_id == number, Payment.out_trade_no == number))
        .order_by(Payment.id.desc())
        .limit(1)
    ).first()
    if found is None:
        raise NotFound
    if found.gateway == TRANSFER:
        raise NobodyToAsk
    notice = tools.gateway(found.gateway).query_payment(found.out_trade_no)
    verdict = settle_payment(notice, VerifiedBy.QUERY, tools)
    now = db.session.execute(
        sa.select(Order.public_id, Order.status, Payment.status.label("payment_status"))
        .join(Order, Order.id == Payment.order_id)
        .where(Payment.out_trade_no == found.out_trade_no)
    ).one()
    return Asked(
        order_public_id=now.public_id,
        out_trade_no=found.out_trade_no,
        state=notice.state,
        transaction_id=notice.transaction_id,
        verdict=verdict,
        order_status=now.status,
        payment_status=now.payment_status,
    )
