"""What WeChat Pay keeps of a payment, and gives back of a refund in proportion."""

from __future__ import annotations

RATE_PERCENT = "0.60%"
_TEN_THOUSANDTHS = 60


def fee_of(amount: int) -> int:
    """The fee on `amount` fen, in fen, half a fen counting as one."""
    return (amount * _TEN_THOUSANDTHS + 5000) // 10000
