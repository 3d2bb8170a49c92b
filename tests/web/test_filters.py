"""Money and time as a reader sees them."""

from datetime import UTC, datetime

import pytest
from flask_babel import force_locale
from hypothesis import given
from hypothesis import strategies as st

from portal.kit import wording
from portal.web import filters

MOMENT = datetime(2026, 11, 23, 18, 5, 59, tzinfo=UTC)


class TestMoney:
    @pytest.mark.parametrize(
        ("fen", "text"),
        [
            (0, "¥0.00"),
            (1, "¥0.01"),
            (-9100, "−¥91.00"),
            (9900, "¥99.00"),
            (1999, "¥19.99"),
            (100000001, "¥1000000.01"),
        ],
    )
    def test_it_writes_every_fen(self, fen, text):
        assert filters.money(fen) == text

    @given(st.integers(min_value=0, max_value=10**12))
    def test_it_can_be_read_back(self, fen):
        whole, part = filters.money(fen).removeprefix("¥").split(".")
        assert int(whole) * 100 + int(part) == fen


class TestMoment:
    @pytest.mark.parametrize(
        ("locale", "text"),
        [("zh_Hans_CN", "北京时间 2026年11月24日 02:05"), ("en", "24 November 2026, 02:05 Beijing time")],
    )
    def test_it_is_beijing_time_and_says_so(self, locale, text):
        assert wording.moment_text(MOMENT, locale) == text

    def test_machines_can_read_it_too(self, app):
        with app.test_request_context(), force_locale("en"):
            assert filters.day(MOMENT) == '<time datetime="2026-11-23T18:05:59.000Z">24 November 2026</time>'


class TestDuration:
    @pytest.mark.parametrize(
        ("days", "english", "chinese"),
        [
            (1, "1 day", "1 天"),
            (30, "30 days", "30 天"),
            (365, "1 year", "1 年"),
            (730, "2 years", "2 年"),
            (366, "366 days", "366 天"),
        ],
    )
    def test_whole_years_are_years(self, app, days, english, chinese):
        with app.test_request_context():
            with force_locale("en"):
                assert filters.duration_days(days) == english
            with force_locale("zh_Hans_CN"):
                assert filters.duration_days(days) == chinese


class TestMonogram:
    @pytest.mark.parametrize(
        ("title", "letters"),
        [
            ("C++ Primer 第五版", "C++"),
            ("JavaScript 完全指南", "JS"),
            ("Python 编程", "Py"),
            ("算法导论", "算"),
            ("", ""),
        ],
    )
    def test_it_is_short(self, title, letters):
        assert filters.monogram(title) == letters
