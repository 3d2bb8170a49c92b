"""Money is exact, and read in one form only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.kit import money


@pytest.mark.parametrize(
    ("fen", "text"),
    [(0, "0.00"), (1, "0.01"), (9900, "99.00"), (10**11 - 1, "999999999.99"), (-150, "-1.50")],
)
def test_yuan_have_two_decimals(fen, text):
    assert money.yuan(fen) == text


@given(st.integers(min_value=0, max_value=10**11 - 1))
def test_what_is_written_is_read_back(fen):
    assert money.fen(money.yuan(fen)) == fen


@pytest.mark.parametrize(
    ("text", "fen"), [("99", 9900), ("0.5", 50), ("007.00", 700), ("0", 0), ("1.99", 199)]
)
def test_a_person_may_leave_decimals_out(text, fen):
    assert money.fen(text) == fen


@pytest.mark.parametrize(
    "text",
    # Python's own int() or float() takes most of these.
    ["1e2", "1_000", "１００", "+5", "0.001", "-1", "", " 5", "5 ", "5\n", "5.", ".5", "1,000", "¥5", "0x10"]
    + ["1.0.0", "nan", "inf", "9" * 10, str(2**63), "٣", "5\x00", "1 000"],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="written like"):
        money.fen(text)


@given(st.text())
def test_a_text_is_an_exact_amount_or_refused(text):
    try:
        fen = money.fen(text)
    except ValueError:
        return
    assert text.isascii()
    assert isinstance(fen, int)
    assert money.fen(money.yuan(fen)) == fen
