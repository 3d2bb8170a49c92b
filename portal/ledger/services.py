"""Post entries."""

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import add_row, db
from portal.ledger.models import LedgerEntry

SALES = "sales"
UNAPPLIED = "unapplied"
"""Money that bought nothing (paid twice, too late): it waits for a refund."""


def post_payment(
    payment_id: int, gateway: str, credit_account: str, order_id: int, amount_fen: int, currency: str
) -> None:
    """Book money that a gateway took for us, in the running transaction, to SALES or UNAPPLIED.

    Raises:
        IntegrityError: when this payment has been booked (unique source and kind).
    """
    add_row(
        LedgerEntry,
        source_type="payment",
        source_id=payment_id,
        kind="payment",
        debit_account=f"gateway:{gateway}",
        credit_account=credit_account,
        amount_fen=amount_fen,
        currency=currency,
        order_id=order_id,
        created_at=clock.now(),
    )


def post_refund(
    refund_id: int, gateway: str, debit_account: str, order_id: int, amount_fen: int, currency: str
) -> None:
    """Book money that a gateway gave back for us, in the running transaction, from SALES or UNAPPLIED.

    Raises:
        IntegrityError: when this refund has been booked (unique source and kind).
    """
    add_row(
        LedgerEntry,
        source_type="refund",
        source_id=refund_id,
        kind="refund",
        debit_account=debit_account,
        credit_account=f"gateway:{gateway}",
        amount_fen=amount_fen,
        currency=currency,
        order_id=order_id,
        created_at=clock.now(),
    )


def account_of_payment(payment_id: int) -> str | None:
    """Return where a payment was booked, SALES or UNAPPLIED; None when it was not (yet)."""
    return db.session.scalar(
        sa.select(LedgerEntry.credit_account).where(
            LedgerEntry.source_type == "payment",
            LedgerEntry.source_id == payment_id,
            LedgerEntry.kind == "payment",
        )
    )


def payments_credited_to(account: str) -> sa.Select[int]:
    """Return the query of the ids of payments that were booked to `account`."""
    return sa.select(LedgerEntry.source_id).where(
        LedgerEntry.source_type == "payment", LedgerEntry.credit_account == account
    )
