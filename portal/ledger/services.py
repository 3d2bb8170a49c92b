"""Post entries."""

from portal.kit import clock
from portal.kit.db import add_row
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
