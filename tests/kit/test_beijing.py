"""A day begins at Beijing's midnight, whatever the machine's zone."""

from datetime import UTC, date, datetime

from portal.kit import beijing


def test_a_day_begins_at_sixteen_oclock_utc():
    assert beijing.day_of(datetime(2026, 11, 19, 15, 59, 59, tzinfo=UTC)) == date(2026, 11, 19)
    assert beijing.day_of(datetime(2026, 11, 19, 16, 0, tzinfo=UTC)) == date(2026, 11, 20)
    assert beijing.begin_of(date(2026, 11, 20)) == datetime(2026, 11, 19, 16, 0, tzinfo=UTC)


def test_days_are_counted_with_both_ends():
    days = list(beijing.days_between(date(2026, 2, 27), date(2026, 3, 1)))
    assert days == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]
    assert list(beijing.days_between(date(2026, 3, 2), date(2026, 3, 1))) == []


def test_a_spreadsheet_reads_beijings_time():
    assert beijing.written(datetime(2026, 11, 20, 8, 0, 5, 999999, tzinfo=UTC)) == "2026-11-20 16:00:05"
