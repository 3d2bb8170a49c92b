"""One number of a transfer stands for one purchase: who has it, and how it is taken."""

import sqlalchemy as sa

from portal.kit.db import add_row, db
from portal.orders.models import Order
from portal.payments.models import Payment, TransferNumber


def plain_number(typed: str) -> str:
    """Return a transfer's number as it is compared: however it was copied, one number is one transfer."""
    return typed.replace(" ", "").replace("-", "").upper()


def claim_number(number: str, payment_id: int) -> None:
    """Let a number stand for a payment, in the running transaction, unless it stands for one already.

    Whose it is tells `order_of_number`, asked after this: of two at once the second then sees the first.

    Args:
        number: a plain one.
    """
    if _claimed(number) is None:
        add_row(TransferNumber, number=number, payment_id=payment_id)


def order_of_number(number: str, besides: int | None = None) -> str | None:
    """Return the public id of the order that a number pays, as a transfer's or as a gateway's; None if there is none.

    Another's claim that is not committed yet is waited for.

    Args:
        number: a plain one.
        besides: the row id of a payment that may have it.
    """
    query = (
        sa.select(Order.public_id)
        .join(Payment, Payment.order_id == Order.id)
        .where(
            sa.or_(
                Payment.id == _claimed(number),
                Payment.transaction_id == number,
                Payment.out_trade_no == number,
            )
        )
    )
    if besides is not None:
        query = query.where(Payment.id != besides)
    return db.session.scalar(query.limit(1))


def _claimed(number: str) -> int | None:
    query = sa.select(TransferNumber.payment_id).where(TransferNumber.number == number)
    return db.session.scalar(query.with_for_update(read=True))
