"""Begin a checkout: the order and its first attempt on record, then the gateway.

The attempt and the request it will send are committed before the gateway hears of them, together with the
outbox row that asks again if this process dies.
"""

from dataclasses import dataclass
from datetime import timedelta

from portal.audit import services as audit
from portal.catalogue.models import OfferMode
from portal.catalogue.offers import mode_of
from portal.catalogue.queries import Terms
from portal.kit import faults
from portal.kit.db import transactional
from portal.kit.errors import Unavailable
from portal.learners.sessions import Person
from portal.licenses.queries import held_license
from portal.licenses.services import AlreadyOwned
from portal.orders.models import Order
from portal.orders.services import NotForSale, open_order_id, place_order
from portal.payments.attempts import WECHAT_PAY, add_attempt
from portal.payments.open import open_payment
from portal.switchboard.services import check_sales_open
from portal.tools import Tools


class GatewayAway(Unavailable):
    """The gateway does not answer these minutes, so nothing was recorded; `retry_after` is in seconds."""

    code = "gateway_unavailable"

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class WayNotOffered(NotForSale):
    """The course is not sold in this way."""

    code = "way_not_offered"


@dataclass(frozen=True)
class Begun:
    """The order to send the learner to, and whether it is new."""

    order_public_id: str
    payment_id: int | None


def begin_checkout(learner: Person, course: Terms, seen_fen: int | None, tools: Tools) -> Begun:
    """Return the learner's open order for `course`, placing it and asking the gateway when there is none.

    A gateway that does not answer is no failure: the order stands and the code follows.

    Args:
        seen_fen: the price on the page the learner pressed *buy* on, or None.

    Raises:
        AlreadyOwned, NotForSale, WayNotOffered, PriceChanged, TooMany, SalesPaused, GatewayAway: nothing was
            recorded.
    """
    begun = record_checkout(learner, course, seen_fen, tools)
    if begun.payment_id is not None:
        faults.point("order.after_commit")
        open_payment(begun.payment_id, tools)
    return begun


@transactional
def record_checkout(learner: Person, course: Terms, seen_fen: int | None, tools: Tools) -> Begun:
    """Put the order and its first attempt on record, or find the open one; the gateway hears of nothing.

    Raises:
        AlreadyOwned, NotForSale, WayNotOffered, PriceChanged, TooMany, SalesPaused, GatewayAway: nothing was
            recorded.
    """
    standing = standing_order(learner, course)
    if standing is not None:
        return standing
    if mode_of(course.id) is OfferMode.ONLY:
        raise WayNotOffered
    retry_after = tools.gateway(WECHAT_PAY).refuses_orders()
    if retry_after is not None:
        raise GatewayAway(retry_after)
    settings = tools.settings
    lifetime = timedelta(seconds=settings.ORDER_TTL_SECONDS)
    order = place_order(learner.id, course, seen_fen, settings.PORTAL_MODE.value, lifetime)
    payment_id = add_attempt(order, learner.tag, tools)
    note_placed(order, learner)
    faults.point("order.before_commit")
    return Begun(order.public_id, payment_id)


def standing_order(learner: Person, course: Terms) -> Begun | None:
    """Return the learner's open order for a course, however it is to be paid; None when a new one may be placed.

    Raises:
        AlreadyOwned, SalesPaused: there is nothing to buy.
    """
    is_owned, license_id = held_license(learner.id, course.id)
    if is_owned:
        raise AlreadyOwned(license_id=license_id)
    standing = open_order_id(learner.id, course.id)
    if standing is not None:
        return Begun(standing, None)
    check_sales_open()
    return None


def note_placed(order: Order, learner: Person) -> None:
    """Put into the audit that an order was placed."""
    audit.record(
        "order.placed",
        f"order:{order.public_id}",
        f"learner:{learner.public_id}",
        amount_fen=order.amount_fen,
    )
