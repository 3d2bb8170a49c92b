"""A CSV opens in a spreadsheet as it was written, and nothing in it is run."""

import csv
import io
import tracemalloc
from datetime import UTC, date, datetime

import pytest

from portal.kit.csv_text import Cell, csv_stream


def read(chunks):
    text = b"".join(chunks).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_it_begins_with_the_mark_that_excel_needs_for_chinese():
    chunks = list(csv_stream(["课程"], [["C++ 入门"]]))
    assert chunks[0].startswith(b"\xef\xbb\xbf")
    assert b"".join(chunks).count(b"\xef\xbb\xbf") == 1
    assert read(chunks) == [["课程"], ["C++ 入门"]]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2+3", "@SUM(A1)", "\tx", "\rx"])
def test_what_a_spreadsheet_would_run_stays_a_text(text):
    assert read(csv_stream(["a"], [[text]]))[1] == ["'" + text]
    assert read(csv_stream([text], []))[0] == ["'" + text]


@pytest.mark.parametrize(
    "number", ["4200001234202611201234567890", "000123", "12345678901234567890123456789012"]
)
def test_a_number_of_an_order_is_not_rounded(number):
    assert read(csv_stream(["a"], [[number]]))[1] == ["'" + number]


def test_amounts_days_moments_and_nothing_are_written_plainly():
    moment = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    row: list[Cell] = [
        -9900,
        0,
        date(2026, 11, 20),
        moment,
        None,
        "99.00",
        "LBT2611200ABCDEF",
        'say "hi", twice',
    ]
    assert read(csv_stream(["a"] * 8, [row]))[1] == [
        "-9900", "0", "2026-11-20", "2026-11-20 16:00:00", "", "99.00", "LBT2611200ABCDEF", 'say "hi", twice',
    ]  # fmt: skip


def test_a_hundred_thousand_rows_take_no_more_memory_than_a_thousand():
    def peak(count):
        tracemalloc.start()
        size = sum(len(chunk) for chunk in csv_stream(["a", "b"], (("课程 " * 10, n) for n in range(count))))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > count * 40
        return most

    assert peak(100_000) < 2 * peak(1_000)
