"""How often courses' pages are shown: counted in the process, written down now and then, never in a page's way.

A page adds one to a number in memory. Every ten seconds the page that happens to be next writes the numbers
down, after its answer has been sent. A process that ends loses what it saw since; that is a few views, and they
are not money.
"""

import logging
import threading
from collections import Counter
from datetime import date, datetime, timedelta

from flask import Flask, Response, current_app
from sqlalchemy.exc import SQLAlchemyError

from portal.kit import beijing, clock
from portal.reports.page_views import add_views

log = logging.getLogger(__name__)

_PAUSE = timedelta(seconds=10)
_NAME = "portal_view_counter"


class ViewCounter:
    """The views that one process has seen and not written down yet."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._views: Counter[tuple[date, str]] = Counter()
        self._next_at = clock.now() + _PAUSE

    def count(self, course_id: str) -> bool:
        """Count a view, and tell whether it is time to write the counts down."""
        now = clock.now()
        with self._lock:
            self._views[beijing.day_of(now), course_id] += 1
            return self._is_time(now)

    def _is_time(self, now: datetime) -> bool:
        # A clock that went back must not silence the counter.
        if self._next_at - _PAUSE <= now < self._next_at:
            return False
        self._next_at = now + _PAUSE
        return True

    def write_down(self) -> None:
        """Add the counts to the database; without one they are kept for the next time."""
        with self._lock:
            views, self._views = self._views, Counter()
        if not views:
            return
        try:
            with self._app.app_context():
                add_views(views)
        except SQLAlchemyError as error:
            log.warning("views not written down", extra={"why": type(error).__name__})
            with self._lock:
                self._views.update(views)


def init_view_counter(app: Flask) -> None:
    """Give the app its counter."""
    app.extensions[_NAME] = ViewCounter(app)


def count_view(course_id: str, response: Response) -> None:
    """Count the view that `response` is."""
    counter: ViewCounter = current_app.extensions[_NAME]
    if counter.count(course_id):
        response.call_on_close(counter.write_down)
