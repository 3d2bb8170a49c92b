"""Money is an integer of fen (1 yuan = 100 fen) and never a float."""

import re

_YUAN = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)


def yuan(fen: int) -> str:
    """Write fen as yuan with two decimals: `9900` is `99.00`."""
    sign = "-" if fen < 0 else ""
    whole, part = divmod(abs(fen), 100)
    return f"{sign}{whole}.{part:02d}"


def fen(text: str) -> int:
    """Read a person's yuan exactly.

    Raises:
        ValueError: for anything but ASCII digits with at most two decimals.
    """
    if not _YUAN.fullmatch(text):
        raise ValueError("an amount is written like 99 or 99.00")
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))
