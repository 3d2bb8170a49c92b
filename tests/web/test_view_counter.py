"""Views of courses' pages are counted without a word to the database in a page's way."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.kit import beijing
from portal.kit import clock as portal_clock
from portal.kit.db import db
from portal.reports.models import DailyViews
from portal.web import view_counter

pytestmark = pytest.mark.database


@pytest.fixture
def kept(app, clock):
    """Begin with an empty counter, and return what is written down of each course."""
    app.extensions["portal_view_counter"] = view_counter.ViewCounter(app)

    def rows():
        with app.app_context():
            return dict(db.session.execute(sa.select(DailyViews.product_id, DailyViews.count)).all())

    return rows


def look(client, course_id="cpp-primer-5th", status=200):
    with client.get(f"/courses/{course_id}") as response:
        assert response.status_code == status
        assert response.data


def test_they_are_written_down_after_ten_seconds_by_the_next_page(client, clock, kept):
    for _ in range(3):
        look(client)
    look(client, "javascript-complete")
    assert kept() == {}
    clock.travel(seconds=10)
    look(client)
    assert kept() == {"cpp-primer-5th": 4, "javascript-complete": 1}
    look(client)
    assert kept()["cpp-primer-5th"] == 4
    clock.travel(seconds=10)
    look(client)
    assert kept()["cpp-primer-5th"] == 6


def test_a_course_that_is_not_there_is_not_counted(client, clock, kept):
    look(client, "no-such-course", 404)
    clock.travel(seconds=10)
    look(client)
    assert kept() == {"cpp-primer-5th": 1}


def test_a_day_of_views_is_beijings(app, client, clock, kept):
    look(client)
    first = beijing.day_of(portal_clock.now())
    clock.travel(days=1)
    look(client)
    with app.app_context():
        days = list(db.session.scalars(sa.select(DailyViews.day).order_by(DailyViews.day)))
    assert days == [first, first + timedelta(days=1)]


def test_without_a_database_the_page_is_well_and_the_views_are_kept(app, client, clock, kept, monkeypatch):
    look(client)
    clock.travel(seconds=10)
    with monkeypatch.context() as away:
        away.setattr(view_counter, "add_views", _fail)
        look(client)
    assert kept() == {}
    clock.travel(seconds=10)
    look(client)
    assert kept() == {"cpp-primer-5th": 3}


def _fail(_views):
    raise sa.exc.OperationalError("UPDATE", {}, Exception(2013))
