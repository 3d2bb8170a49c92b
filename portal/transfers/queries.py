"""Reads of transfers: for the learner's page, and for the staff's list."""

import itertools
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm

from portal.catalogue.models import TransferOffer
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.learners.models import Learner
from portal.orders.models import Order
from portal.payments.attempts import TRANSFER
from portal.payments.checkout_state import CheckoutPage, TransferFacts
from portal.payments.models import Payment, TransferStatus
from portal.payments.queries import Purchase
from portal.transfers.models import Transfer


def checkout_of(purchase: Purchase) -> CheckoutPage:
    """Return what page and API tell of a purchase, however it is paid; one more read where it is by transfer."""
    if purchase.payment is None or purchase.payment.gateway != TRANSFER:
        return CheckoutPage(purchase)
    row = db.session.execute(
        sa.select(Transfer, TransferOffer)
        .outerjoin(TransferOffer, TransferOffer.course_id == Transfer.course_id)
        .where(Transfer.payment_id == purchase.payment.id)
        .execution_options(populate_existing=True)
    ).one()
    transfer, offer = row
    facts = TransferFacts(
        reference=transfer.reference,
        status=TransferStatus(transfer.status),
        receiver=offer.receiver if offer else "",
        note_zh=offer.note_zh if offer else "",
        note_en=offer.note_en if offer else "",
        has_code=offer is not None and offer.picture_id is not None,
        told_number=transfer.told_number,
        told_picture=transfer.told_picture_id is not None,
        came_fen=transfer.amount_fen,
        refusal=transfer.refusal,
    )
    return CheckoutPage(purchase, facts)


class ToDo(StrEnum):
    """Which transfers the list shows."""

    OPEN = "open"
    """Those that wait for somebody of the staff."""
    WAITING = "waiting"
    TOLD = "told"
    CHECKED = "checked"
    MISMATCH = "mismatch"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


_TO_DO = (TransferStatus.TOLD.value, TransferStatus.CHECKED.value)


def _statuses(which: ToDo) -> tuple[str, ...]:
    return _TO_DO if which is ToDo.OPEN else (which.value,)


def to_confirm(courses: Collection[str] | None) -> int:
    """Return how many transfers wait for somebody of the staff."""
    query = sa.select(sa.func.count()).select_from(Transfer).where(Transfer.status.in_(_TO_DO))
    if courses is not None:
        query = query.where(Transfer.course_id.in_(courses))
    return db.session.scalar(query) or 0


def _rows() -> Any:
    checker, approver = sa.orm.aliased(Learner), sa.orm.aliased(Learner)
    return (
        sa.select(
            Transfer,
            Order,
            Payment,
            Learner.email.label("email"),
            checker.email.label("checked_by"),
            approver.email.label("approved_by"),
        )
        .join(Order, Order.id == Transfer.order_id)
        .join(Payment, Payment.id == Transfer.payment_id)
        .join(Learner, Learner.id == Order.learner_id)
        .outerjoin(checker, checker.id == Transfer.checked_by)
        .outerjoin(approver, approver.id == Transfer.approved_by)
        .options(sa.orm.defer(Payment.request))
        .execution_options(populate_existing=True)
    )


def transfer_rows(
    which: ToDo | None,
    reference: str | None,
    before: int | None,
    limit: int,
    courses: Collection[str] | None,
) -> Sequence[Any]:
    """Return transfers with their orders and people, newest first.

    Args:
        which: only those that stand so.
        reference: only the one with this reference.
        before: only those with a smaller row id: the next page.
        courses: only for these courses; None for all.
    """
    conditions = [Transfer.reference == reference] if reference is not None else []
    if before is not None:
        conditions.append(Transfer.id < before)
    ids = _newest(_statuses(which) if which is not None else None, courses, conditions, limit)
    if not ids:
        return []
    return db.session.execute(_rows().where(Transfer.id.in_(ids)).order_by(Transfer.id.desc())).all()


def _newest(
    statuses: Collection[str] | None,
    courses: Collection[str] | None,
    conditions: Collection[sa.ColumnElement[bool]],
    limit: int,
) -> Sequence[int]:
    """Return the ids of the newest transfers: of each course and status by its index, and of those the newest."""
    parts = itertools.product(
        [Transfer.status == status for status in statuses] if statuses is not None else [sa.true()],
        [Transfer.course_id == course for course in courses] if courses is not None else [sa.true()],
    )
    newest = [
        sa.select(Transfer.id).where(*part, *conditions).order_by(Transfer.id.desc()).limit(limit).subquery()
        for part in parts
    ]
    if not newest:
        return []
    every = sa.union_all(*(sa.select(each.c.id) for each in newest)).subquery()
    return db.session.scalars(sa.select(every.c.id).order_by(every.c.id.desc()).limit(limit)).all()


def transfer_row(reference: str, courses: Collection[str] | None) -> Any:
    """Return one transfer with its order and people.

    Raises:
        NotFound: there is none, or not for these courses.
    """
    rows = transfer_rows(None, reference, None, 1, courses)
    if not rows:
        raise NotFound
    return rows[0]


def code_of(purchase: Purchase) -> int | None:
    """Return the picture of the code that a purchase is to be paid to, while anybody should pay."""
    if not purchase.order.is_open or purchase.payment is None or purchase.payment.gateway != TRANSFER:
        return None
    return db.session.scalar(
        sa.select(TransferOffer.picture_id).where(TransferOffer.course_id == purchase.order.product_id)
    )
