"""What staff do to an order: ask the gateway, close it, send the license again, comment. Each is on record."""

import sqlalchemy as sa

from portal.audit import services as audit
from portal.delivery.resend import resend_license
from portal.desk.models import OrderComment
from portal.kit import clock
from portal.kit.db import db, transactional
from portal.kit.errors import Conflict
from portal.learners.queries import learner_by_id
from portal.licenses.models import License, LicenseStatus
from portal.orders.models import Order, OrderStatus
from portal.payments.ask import Asked, ask_gateway
from portal.payments.close import close_order, start_closing
from portal.tools import Tools


class NotOpen(Conflict):
    """The order does not wait for money any more."""

    code = "order_not_open"


class NothingToSend(Conflict):
    """The order has no license that is good."""

    code = "license_not_active"


def query_now(order: Order, actor: str, tools: Tools) -> Asked:
    """Ask the gateway about an order's latest attempt, and apply the answer.

    Raises:
        NotFound: nothing was ever asked of a gateway for this order.
        GatewayError: no believable answer; nothing changed.
    """
    _note_question(order, actor)
    return ask_gateway(order.public_id, tools)


@transactional
def _note_question(order: Order, actor: str) -> None:
    audit.record("order.query_asked", f"order:{order.public_id}", actor)


def close_now(order: Order, actor: str, reason: str, tools: Tools) -> bool:
    """Have an order closed that waits for money; return whether it is closed, or paid, already.

    False: the gateway has not confirmed yet, and the worker goes on asking.

    Raises:
        NotOpen: it is over.
    """
    if not start_closing(order, OrderStatus.CANCELLED, actor, reason):
        raise NotOpen
    return close_order(order.id, tools)


@transactional
def send_again(order: Order, license_: License | None, actor: str, reason: str) -> None:
    """Have the license of an order mailed to its owner again.

    Raises:
        NothingToSend: there is none that is good.
    """
    learner = learner_by_id(order.learner_id)
    if license_ is None or license_.status != LicenseStatus.ACTIVE or learner is None:
        raise NothingToSend
    resend_license(learner, license_.id, actor, reason)


@transactional
def comment(order: Order, text: str, form_token: str, actor: str) -> None:
    """Leave a comment on an order, once for each form however often it is sent.

    Args:
        text: up to 500 characters, checked by the form.
        form_token: what tells this form from every other.
    """
    known = sa.select(OrderComment.id).where(OrderComment.form_token == form_token)
    if db.session.scalar(known) is not None:
        return
    db.session.execute(
        sa.insert(OrderComment).values(
            order_id=order.id, actor=actor, text=text, form_token=form_token, at=clock.now()
        )
    )
    audit.record("order.commented", f"order:{order.public_id}", actor, text=text)
