"""CSV that spreadsheets open as it was meant: Chinese readable, numbers whole, nothing run as a formula.

A mark of UTF-8 comes first, without which Excel reads Chinese by the machine's code page. A text that a
spreadsheet would run (it begins with one of `= + - @`, a tab or a carriage return) gets an apostrophe, as
OWASP advises ("CSV Injection"); so does a text of many digits, which would be rounded to 15 of them.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from portal.kit import beijing

Cell = str | int | date | datetime | None
MEDIA_TYPE = "text/csv; charset=utf-8"

MARK = "\ufeff"
_RUNS = ("=", "+", "-", "@", "\t", "\r")
# Fifteen digits survive in a spreadsheet, and so do leading zeros in none.
_LONG_NUMBER = re.compile(r"0\d+|\d{12,}", re.ASCII)
_LINES_AT_ONCE = 200


def csv_stream(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Write `header` and `rows` as CSV, a few hundred lines at a time, so that memory stays small.

    Args:
        header: the names of the columns.
        rows: texts, whole numbers, days, moments (written in Beijing's time) and None (written as nothing).
    """
    buffer = io.StringIO(MARK)
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer)
    writer.writerow([_guarded(name) for name in header])
    for number, row in enumerate(rows, start=1):
        writer.writerow([_written(cell) for cell in row])
        if number % _LINES_AT_ONCE == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def csv_lines(rows: Iterable[Sequence[Cell]]) -> str:
    """Write a few rows as CSV: a piece of a file that begins with `MARK` and a header of its own."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([_written(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return beijing.written(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell) if isinstance(cell, int) else _guarded(cell)


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_RUNS) or _LONG_NUMBER.fullmatch(text) else text
