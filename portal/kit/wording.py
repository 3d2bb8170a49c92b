"""Money and moments in the words of a reader: the same on a page, in a mail and in an alt text."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

from babel.dates import format_datetime

from portal.kit.beijing import BEIJING
from portal.kit.money import yuan

_MOMENT = {"en": "d MMMM y, HH:mm 'Beijing time'", "zh": "'北京时间' y年M月d日 HH:mm"}
_INSTANT = {"en": "y-MM-dd HH:mm:ss 'Beijing time'", "zh": "'北京时间' y-MM-dd HH:mm:ss"}
_DAY = {"en": "d MMMM y", "zh": "y年M月d日"}


def price_text(fen: int) -> str:
    """Write an amount as it is written in China, in both languages: `9900` is `¥99.00`, `-9900` is `−¥99.00`."""
    return f"¥{yuan(fen)}" if fen >= 0 else f"−¥{yuan(-fen)}"


def moment_text(moment: datetime, locale: str) -> str:
    """Write a moment in Beijing time, and say that it is."""
    return _written(moment, _MOMENT, locale)


def instant_text(moment: datetime, locale: str) -> str:
    """Write a moment to the second, in Beijing time, and say that it is."""
    return _written(moment, _INSTANT, locale)


def day_text(moment: datetime, locale: str) -> str:
    """Write the day that a moment falls on in Beijing."""
    return _written(moment.astimezone(BEIJING).replace(hour=0, minute=0), _DAY, locale)


def _written(moment: datetime, patterns: dict[str, str], locale: str) -> str:
    minute = moment.astimezone(BEIJING).replace(second=0, microsecond=0)
    return _written_minute(minute, patterns[locale[:2]], locale)


# Nothing below a minute is ever written, and the same few minutes stand on many pages.
@functools.lru_cache(maxsize=4096)
def _written_minute(minute: datetime, pattern: str, locale: str) -> str:
    return format_datetime(minute, pattern, locale=locale)


def text_filters(locale: str) -> dict[str, Callable[[Any], str]]:
    """Return the template filters `money`, `moment` and `day` for plain text in one language: a mail's."""
    return {
        "money": price_text,
        "moment": lambda moment: moment_text(moment, locale),
        "day": lambda moment: day_text(moment, locale),
    }
