"""One clock, in UTC, that a test can move."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.kit import clock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_it_is_now_and_aware():
    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_another_clock_reads_and_waits_instead_until_the_block_ends():
    slept: list[float] = []
    with clock.replaced(lambda: NOON, slept.append):
        assert clock.now() == NOON
        clock.sleep(3600)
    assert slept == [3600]
    assert clock.now() != NOON


def test_the_real_clock_is_back_after_an_error_too():
    with pytest.raises(RuntimeError), clock.replaced(lambda: NOON, lambda _seconds: None):
        raise RuntimeError
    assert clock.now() != NOON


class TestIso:
    @pytest.mark.parametrize(
        ("moment", "text"),
        [
            (datetime(2026, 11, 20, 8, tzinfo=UTC), "2026-11-20T08:00:00.000Z"),
            (datetime(2026, 11, 20, 8, 0, 0, 999_999, tzinfo=UTC), "2026-11-20T08:00:00.999Z"),
            (datetime(2026, 11, 20, 8, 0, 0, 7_000, tzinfo=UTC), "2026-11-20T08:00:00.007Z"),
            (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=8))), "2025-12-31T17:00:00.000Z"),
        ],
    )
    def test_it_is_utc_with_milliseconds_and_z(self, moment, text):
        assert clock.iso(moment) == text

    @given(st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC)))
    def test_it_is_read_back_to_the_millisecond(self, moment):
        read = datetime.fromisoformat(clock.iso(moment))
        assert timedelta(0) <= moment - read < timedelta(milliseconds=1)
