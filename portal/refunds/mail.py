"""Mails about refunds: on its way, done, refused."""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import sqlalchemy as sa

from portal.config import Settings
from portal.delivery.messages import compose
from portal.delivery.transport import Mailer
from portal.kit.db import db, forbid_open_transaction
from portal.learners.models import Learner
from portal.ledger.services import SALES, account_of_payment
from portal.licenses.models import Entitlement, EntitlementStatus
from portal.orders.models import Order
from portal.refunds.models import Refund


@dataclass(frozen=True)
class _Letter:
    """Whom a mail goes to, and what it tells."""

    locale: str
    email: str
    facts: dict[str, Any]


def _about(refund_id: str, settings: Settings) -> _Letter:
    row: Any = db.session.execute(
        sa.select(Refund, Order, Learner)
        .join(Order, Order.id == Refund.order_id)
        .join(Learner, Learner.id == Order.learner_id)
        .where(Refund.id == int(refund_id))
    ).one()
    refund, order, learner = row
    facts = {
        "refund": refund,
        "order": order,
        "course_title": order.title(learner.locale),
        "order_url": f"{settings.PORTAL_BASE_URL}/account/orders/{order.public_id}",
        "bought_something": account_of_payment(refund.payment_id) == SALES,
        "is_license_revoked": _is_revoked(refund.payment_id),
    }
    return _Letter(learner.locale, learner.email, facts)


def _send(message: EmailMessage, mailer: Mailer) -> None:
    forbid_open_transaction()
    mailer.send(message)


def _is_revoked(payment_id: int) -> bool:
    status = db.session.scalar(sa.select(Entitlement.status).where(Entitlement.payment_id == payment_id))
    return status == EntitlementStatus.REVOKED


def mail_started(refund_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Tell the buyer that money is on its way back.

    Raises:
        MailNotSent: try again later.
    """
    to = _about(refund_id, settings)
    _send(compose("refund_started", to.locale, to.email, effect_key, settings, **to.facts), mailer)


def mail_done(refund_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Tell the buyer that the money is back, and whether the license was revoked.

    Raises:
        MailNotSent: try again later.
    """
    to = _about(refund_id, settings)
    _send(compose("refund_done", to.locale, to.email, effect_key, settings, **to.facts), mailer)


def mail_refused(refund_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Tell the learner that the request was refused, and why.

    Raises:
        MailNotSent: try again later.
    """
    to = _about(refund_id, settings)
    _send(compose("refund_refused", to.locale, to.email, effect_key, settings, **to.facts), mailer)
