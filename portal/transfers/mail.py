"""Mails about transfers: to who teaches the course when one was told of, to the learner when it was refused."""

from typing import Any

import sqlalchemy as sa

from portal.config import Settings
from portal.delivery.messages import compose
from portal.delivery.transport import Mailer
from portal.kit.db import db, forbid_open_transaction
from portal.learners.models import Learner
from portal.orders.models import Order
from portal.payments.models import TransferStatus
from portal.staff.models import CourseInstructor
from portal.transfers.models import Transfer


def _about(transfer_id: str) -> Any:
    return db.session.execute(
        sa.select(Transfer, Order, Learner)
        .join(Order, Order.id == Transfer.order_id)
        .join(Learner, Learner.id == Order.learner_id)
        .where(Transfer.id == int(transfer_id))
    ).one()


def mail_told(transfer_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Ask those who teach the course to look whether the transfer came; nobody teaches it: the desk's list does.

    Raises:
        MailNotSent: try again later.
    """
    transfer, order, _ = _about(transfer_id)
    teachers = db.session.scalars(
        sa.select(Learner)
        .join(CourseInstructor, CourseInstructor.learner_id == Learner.id)
        .where(CourseInstructor.course_id == transfer.course_id, Learner.disabled_at.is_(None))
        .order_by(Learner.id)
    ).all()
    messages = [
        compose(
            "transfer_told",
            teacher.locale,
            teacher.email,
            f"{effect_key}:{teacher.public_id}",
            settings,
            order=order,
            reference=transfer.reference,
            course_title=order.title(teacher.locale),
            url=f"{settings.PORTAL_BASE_URL}/admin/confirmations/{transfer.reference}",
        )
        for teacher in teachers
    ]
    forbid_open_transaction()
    for message in messages:
        mailer.send(message)


def mail_refused(transfer_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Tell the learner that no such money was found, why, and what to do; not if it was found while the mail waited.

    Raises:
        MailNotSent: try again later.
    """
    transfer, order, learner = _about(transfer_id)
    if transfer.status != TransferStatus.REFUSED:
        return
    message = compose(
        "transfer_refused",
        learner.locale,
        learner.email,
        effect_key,
        settings,
        order=order,
        reference=transfer.reference,
        reason=transfer.refusal or "",
        course_title=order.title(learner.locale),
        order_url=f"{settings.PORTAL_BASE_URL}/checkout/{order.public_id}",
    )
    forbid_open_transaction()
    mailer.send(message)
