"""The catalogue as most visitors see it, drawn once for all of them.

Whoever is not signed in and searches for nothing sees the same page, but for the token of the forms in its header.
So it is drawn once for everything that can differ, and kept for some seconds in the pieces between which the token
stands. A change of a course, a notice or the language is another page.
"""

import threading
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta

from flask import request, session

from portal.kit import clock
from portal.web.csrf import form_token
from portal.web.filters import chosen_theme, language, shop_notices

_KEPT = timedelta(seconds=10)
_MOST = 64


class WholePages:
    """The pages that one process has drawn. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[Hashable, tuple[datetime, list[str]]] = {}

    def page(self, shown: Hashable, draw: Callable[[], str]) -> str:
        """Return the page of a visitor who is not signed in.

        Args:
            shown: everything in the page that is not the same on all.
            draw: draws it, for the request being answered.
        """
        if request.query_string or "_flashes" in session:
            return draw()
        key = (shown, language(), chosen_theme(), tuple(shop_notices()), request.root_path, request.path)
        now, token = clock.now(), form_token()
        with self._lock:
            drawn_at, pieces = self._pages.get(key, (None, []))
        if drawn_at is None or not timedelta(0) <= now - drawn_at < _KEPT:
            pieces = draw().split(token)
            with self._lock:
                if len(self._pages) >= _MOST:
                    self._pages.clear()
                self._pages[key] = now, pieces
        return token.join(pieces)
