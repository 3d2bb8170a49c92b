"""Days as Beijing counts them: China has one zone and no summer time, so a day is always 24 hours."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")

_DAY = timedelta(days=1)


def day_of(moment: datetime) -> date:
    """Return the day that an aware moment falls on."""
    return moment.astimezone(BEIJING).date()


def begin_of(day: date) -> datetime:
    """Return the first moment of a day, aware; the day's end is the next day's begin."""
    return datetime.combine(day, time(), BEIJING)


def days_between(first: date, last: date) -> Iterator[date]:
    """Go through the days from `first` to `last`, both counted."""
    while first <= last:
        yield first
        first += _DAY


def written(moment: datetime) -> str:
    """Write a moment for a spreadsheet: `2026-11-20 16:00:00`, without a zone, which spreadsheets cannot read."""
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
