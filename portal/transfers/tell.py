"""The learner says that the transfer was made; from then on only people end its order."""

import re
from datetime import timedelta

import sqlalchemy as sa

from portal.audit import services as audit
from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.kit import clock
from portal.kit.db import db, transactional
from portal.kit.errors import Conflict, Invalid, NotFound
from portal.learners.sessions import Person, actor
from portal.orders.models import Order
from portal.orders.services import extend, touch
from portal.outbox import services as outbox
from portal.payments.models import Payment, TransferStatus
from portal.payments.settle import lock_payment
from portal.pictures.formats import Stripped
from portal.pictures.services import forget_picture, keep_picture
from portal.transfers.models import Transfer

# Long enough for people; whether money came stays open until one of them decides.
PATIENCE = timedelta(days=30)
_OVERDUE_AFTER = timedelta(days=3)
_TOLD_NUMBER = re.compile(r"[0-9A-Za-z -]{4,64}", re.ASCII)
_TELLABLE = (TransferStatus.WAITING, TransferStatus.TOLD)


class BadTold(Invalid):
    """The number of a transfer has 4 to 64 letters and digits."""

    code = "bad_number"


class AlreadyDecided(Conflict):
    """Somebody of the staff has looked already."""

    code = "already_decided"


@transactional
def tell_transfer(
    learner: Person, order_public_id: str, number: str | None, picture: Stripped | None
) -> None:
    """Note that a learner says the transfer was made, and have staff look; again with more, until they have.

    It counts after the order's end too: then the money is late, not lost.

    Args:
        number: the transfer's number or its last digits, as the learner's WeChat shows it.

    Raises:
        NotFound: there is no such order paid by transfer, or it is another's.
        BadTold, AlreadyDecided: nothing was noted.
    """
    if number is not None and not _TOLD_NUMBER.fullmatch(number):
        raise BadTold
    found = db.session.execute(
        sa.select(Payment.out_trade_no, Transfer.id)
        .join(Order, Order.id == Payment.order_id)
        .join(Transfer, Transfer.payment_id == Payment.id)
        .where(Order.public_id == order_public_id, Order.learner_id == learner.id)
    ).first()
    if found is None:
        raise NotFound
    lock_payment(found.out_trade_no)
    transfer = transfer_for_update(found.id)
    if transfer.status not in _TELLABLE:
        raise AlreadyDecided
    is_news = transfer.told_at is None
    transfer.status, transfer.told_at = TransferStatus.TOLD.value, transfer.told_at or clock.now()
    transfer.told_number = number or transfer.told_number
    if picture is not None:
        _replace_picture(transfer, picture)
    db.session.flush()
    extend(transfer.order_id, clock.now() + PATIENCE)
    if is_news:
        outbox.add("mail_transfer_told", f"mail_transfer_told:{transfer.id}", transfer.id)
        expect_decision(transfer)
    audit.record(
        "transfer.told",
        f"order:{order_public_id}",
        actor(learner),
        reference=transfer.reference,
        number=number,
        with_picture=picture is not None,
    )


def _replace_picture(transfer: Transfer, picture: Stripped) -> None:
    """Keep one picture of each transfer, however often its learner sends another."""
    before, transfer.told_picture_id = transfer.told_picture_id, keep_picture(picture)
    db.session.flush()
    if before is not None:
        forget_picture(before)


def expect_decision(transfer: Transfer) -> None:
    """Have somebody alarmed when nobody decides within three days from now, in the running transaction."""
    key = f"transfer_overdue:{transfer.id}"
    outbox.ensure("transfer_overdue", key, transfer.id, due_at=clock.now() + _OVERDUE_AFTER)


def transfer_for_update(transfer_id: int) -> Transfer:
    """Return a transfer as it is now, locked; its payment and order have been locked before."""
    query = sa.select(Transfer).where(Transfer.id == transfer_id)
    return db.session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()


@transactional
def note_overdue(transfer_id: int) -> None:
    """Open a case for a transfer that was told of three days ago and that nobody has decided about."""
    transfer = db.session.get_one(Transfer, transfer_id, populate_existing=True)
    if transfer.status not in (TransferStatus.TOLD, TransferStatus.CHECKED):
        return
    payment = db.session.get_one(Payment, transfer.payment_id)
    open_case(
        CaseKind.TRANSFER_WAITING,
        transfer.reference,
        {"reference": transfer.reference, "why": f"{transfer.status} for three days"},
        order_id=transfer.order_id,
        payment_id=transfer.payment_id,
        amount_fen=payment.amount_fen,
        currency=payment.currency,
    )
    touch(transfer.order_id)
