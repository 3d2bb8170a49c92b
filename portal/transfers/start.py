"""Begin a purchase that is paid by transfer: the order, its attempt and its reference in one transaction."""

from datetime import timedelta

import sqlalchemy as sa

from portal.catalogue.models import OfferMode
from portal.catalogue.offers import mode_of
from portal.catalogue.queries import Terms
from portal.kit import clock, ids
from portal.kit.db import db, insert_row, transactional
from portal.learners.sessions import Person
from portal.orders.models import Order
from portal.orders.services import place_order
from portal.payments.attempts import TRANSFER
from portal.payments.models import Payment, PaymentStatus, TransferStatus
from portal.payments.start import Begun, WayNotOffered, note_placed, standing_order
from portal.tools import Tools
from portal.transfers.models import Transfer


@transactional
def begin_transfer(learner: Person, course: Terms, seen_fen: int | None, tools: Tools) -> Begun:
    """Place an order that is paid by transfer, or return the one that is open, however that is paid.

    Args:
        seen_fen: the price on the page the learner pressed the button on, or None.

    Raises:
        AlreadyOwned, NotForSale, WayNotOffered, PriceChanged, TooMany, SalesPaused: nothing was recorded.
    """
    standing = standing_order(learner, course)
    if standing is not None:
        return standing
    if mode_of(course.id) is OfferMode.OFF:
        raise WayNotOffered
    settings = tools.settings
    lifetime = timedelta(seconds=settings.TRANSFER_TTL_SECONDS)
    order = place_order(learner.id, course, seen_fen, settings.PORTAL_MODE.value, lifetime)
    payment_id = _add_attempt(order, tools)
    note_placed(order, learner)
    return Begun(order.public_id, payment_id)


def _add_attempt(order: Order, tools: Tools) -> int:
    now = clock.now()
    reference = ids.new_transfer_reference()
    payment_id = insert_row(
        sa.insert(Payment).values(
            order_id=order.id,
            gateway=TRANSFER,
            mode=order.mode,
            mchid=TRANSFER,
            appid=TRANSFER,
            out_trade_no=ids.new_out_trade_no(tools.settings.mode_letter, now),
            amount_fen=order.amount_fen,
            currency=order.currency,
            request={
                "reference": reference,
                "amount": {"total": order.amount_fen, "currency": order.currency},
            },
            status=PaymentStatus.OPEN.value,
            open_key=order.id,
            created_at=now,
        )
    )
    db.session.add(
        Transfer(
            payment_id=payment_id,
            order_id=order.id,
            course_id=order.product_id,
            reference=reference,
            status=TransferStatus.WAITING.value,
            created_at=now,
        )
    )
    db.session.flush()
    return payment_id
