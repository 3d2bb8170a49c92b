"""How templates show money, time and courses; and the few values every page needs."""

import functools
import hashlib
import re
from datetime import datetime
from typing import Any

from flask import Flask, request
from flask_babel import get_locale, gettext, ngettext
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

from portal.kit import clock, wording
from portal.payments.checkout_state import CheckoutState
from portal.switchboard.models import OF_STAFF, SwitchName
from portal.web.tools import tools

_COVERS = 6
_FIRST_WORD = re.compile(r"[A-Za-z0-9+#]+|.")
_THEMES = frozenset({"light", "dark"})
_LEVELS = {
    "beginner": _l("Beginner"),
    "intermediate": _l("Intermediate"),
    "advanced": _l("Advanced"),
}


# Babel writes the name of a locale anew each time it is asked.
_language_name = functools.lru_cache(str)


def language() -> str:
    """Return the name of the request's language: `zh_Hans_CN` or `en`."""
    return _language_name(get_locale())


def money(fen: int) -> str:
    """Write fen as yuan, exactly: `9900` is `¥99.00` in both languages."""
    return wording.price_text(fen)


def moment(value: datetime) -> Markup:
    """Write a moment in Beijing time, readable by machines too."""
    return _time_element(value, wording.moment_text(value, language()))


def instant(value: datetime) -> Markup:
    """Write a moment to the second, in Beijing time and with its zone: what staff compare with other books."""
    return _time_element(value, wording.instant_text(value, str(get_locale())))


def day(value: datetime) -> Markup:
    """Write the day of a moment in Beijing, readable by machines too."""
    return _time_element(value, wording.day_text(value, language()))


def _time_element(value: datetime, text: str) -> Markup:
    # Digits, and words of ours: nothing in them could be taken for a tag.
    return Markup(f'<time datetime="{clock.iso(value)}">{text}</time>')  # noqa: S704


def duration_days(days: int) -> str:
    """Write how long a license lasts: whole years as years, else days."""
    years, rest = divmod(days, 365)
    if years and not rest:
        return ngettext("%(num)s year", "%(num)s years", years)
    return ngettext("%(num)s day", "%(num)s days", days)


def hours(count: int) -> str:
    """Write how much work a course is."""
    return ngettext("about %(num)s hour", "about %(num)s hours", count)


def level_name(level: str) -> str:
    """Write the level of a course; an unknown one as it stands in the catalogue."""
    name = _LEVELS.get(level)
    return str(name) if name is not None else level


def monogram(title: str) -> str:
    """Return the letters on the cover of a course: `C++`, `JS`, `Py`, or the first Chinese character."""
    match = _FIRST_WORD.search(title)
    word = match.group() if match else ""
    capitals = "".join(letter for letter in word if letter.isupper())
    if len(capitals) > 1:
        return capitals[:3]
    return word if len(word) <= 3 else word[:2]


def cover(course_id: str) -> str:
    """Return the class of a course's cover: always the same colour for the same course."""
    return f"cover-{hashlib.sha256(course_id.encode()).digest()[0] % _COVERS}"


def chosen_theme() -> str | None:
    """Return the theme the reader chose, None when the device decides."""
    theme = request.cookies.get("theme")
    return theme if theme in _THEMES else None


def shop_notices() -> list[str]:
    """Return what the shop tells every visitor: a banner, and why nothing is sold."""
    board, locale = tools().board, language()
    texts = [board.text(name, locale) for name in OF_STAFF]
    if is_on_hold():
        texts.append(hold_notice())
    return [text for text in texts if text]


def hold_notice() -> str:
    """Return what learners are told while the portal is on hold after a restored backup."""
    return gettext(
        "We are restoring our records: nothing can be bought for the moment. Whoever has paid gets the license and need not "
        "pay again; what is missing follows when we are done."
    )


def waits_for_release(state: CheckoutState) -> bool:
    """Tell whether an order gets its code when a hold is released, and not before."""
    return state in (CheckoutState.PREPARING, CheckoutState.GATEWAY_DOWN) and is_on_hold()


def is_on_hold() -> bool:
    """Tell whether the portal is on hold, as pages show it: at most five seconds late."""
    return tools().board.since(SwitchName.HOLD) is not None


def init_filters(app: Flask) -> None:
    """Give the templates of `app` their filters, and each page who helps and whether money is real."""
    for function in (money, moment, instant, day, duration_days, hours, level_name, monogram, cover):
        app.add_template_filter(function)
    app.add_template_global(chosen_theme)
    app.add_template_global(waits_for_release)

    @app.context_processor
    def values_of_every_page() -> dict[str, Any]:
        return {
            "support_email": tools().settings.SUPPORT_EMAIL,
            "is_test_mode": not tools().settings.is_live,
            "locale": language(),
            "shop_notices": shop_notices,
        }
