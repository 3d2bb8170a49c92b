"""A list of orders shows each once, newest first, whatever its filter and however it is paged."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.desk.listing import Wanted, every_line, is_longer_than_an_export, orders_page
from portal.kit import beijing, ids
from portal.kit import clock as portal_clock
from portal.kit.db import db, transaction
from portal.kit.keyset import BadCursor
from portal.orders.models import Order, OrderStatus
from tests.factories.learners import make_learner

pytestmark = pytest.mark.database
CPP, JS = "cpp-primer-5th", "javascript-complete"


@pytest.fixture
def orders(app):
    """Thirty orders of two courses in three states, some of the same moment; newest first. Stays where they are."""
    with app.app_context():
        learners = [make_learner() for _ in range(3)]
        now = portal_clock.now()
        statuses = (OrderStatus.EXPIRED, OrderStatus.CANCELLED, OrderStatus.COMPLETED)
        rows = []
        for number in range(30):
            # Three at a time were placed at the same moment, an hour after the three before.
            placed = now - timedelta(hours=(30 - number) // 3)
            rows.append(
                {
                    "public_id": ids.new_public_id(),
                    "learner_id": learners[number % 3].id,
                    "product_id": CPP if number % 2 else JS,
                    "product_kind": "course",
                    "title_zh": "课程",
                    "title_en": "Course",
                    "amount_fen": 9900,
                    "currency": "CNY",
                    "license_days": 365,
                    "max_downloads": 5,
                    "mode": "test",
                    "status": statuses[number % 5 % 3].value,
                    "version": 1,
                    "created_at": placed,
                    "expires_at": placed + timedelta(minutes=30),
                }
            )
        with transaction() as session:
            session.execute(sa.insert(Order), rows)
        newest_first = sa.select(Order).order_by(Order.created_at.desc(), Order.id.desc())
        yield list(db.session.scalars(newest_first))
        db.session.remove()


def walked(wanted, size):
    """Return the ids of all pages, one after the other."""
    found, cursor = [], None
    while True:
        page = orders_page(wanted, cursor, size)
        assert len(page.lines) <= size
        found += [line.order.id for line in page.lines]
        cursor = page.cursor
        if cursor is None:
            return found


def matching(orders, wanted):
    return [
        order.id
        for order in orders
        if (wanted.status is None or order.status == wanted.status)
        and (wanted.course_id is None or order.product_id == wanted.course_id)
        and (wanted.learner_id is None or order.learner_id == wanted.learner_id)
        and (wanted.courses is None or order.product_id in wanted.courses)
        and (wanted.first is None or beijing.day_of(order.created_at) >= wanted.first)
        and (wanted.last is None or beijing.day_of(order.created_at) <= wanted.last)
    ]


FILTERS = [
    Wanted(),
    Wanted(status=OrderStatus.EXPIRED),
    Wanted(course_id=CPP),
    Wanted(course_id=CPP, status=OrderStatus.COMPLETED),
    Wanted(status=OrderStatus.FAILED),
    Wanted(courses=[CPP]),
    Wanted(courses=[CPP, JS]),
    Wanted(courses=[CPP, JS], status=OrderStatus.CANCELLED),
    Wanted(courses=[JS], course_id=JS),
    Wanted(courses=[JS], course_id=CPP),
    Wanted(courses=[]),
]


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_every_page_together_is_the_whole_list_in_order(orders, wanted, size):
    assert walked(wanted, size) == matching(orders, wanted)


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_a_range_of_days_is_beijings_and_counts_both_ends(orders, wanted):
    days = sorted({beijing.day_of(order.created_at) for order in orders})
    for first, last in [(days[0], days[0]), (days[-1], days[-1]), (days[0], days[-1]), (None, days[0])]:
        narrowed = replace(wanted, first=first, last=last)
        assert walked(narrowed, 4) == matching(orders, narrowed)


def test_the_orders_of_a_learner_are_only_theirs(orders):
    learner_id = orders[0].learner_id
    for courses in (None, [CPP], []):
        wanted = Wanted(learner_id=learner_id, courses=courses)
        assert walked(wanted, 3) == matching(orders, wanted)


def test_an_order_placed_meanwhile_shifts_no_page(orders):
    first = orders_page(Wanted(), None, 10)
    newest = db.session.get_one(Order, orders[0].id)
    with transaction() as session:
        columns = [
            column.name for column in Order.__table__.columns if column.name not in ("id", "public_id")
        ]
        values = {name: getattr(newest, name) for name in columns}
        session.execute(sa.insert(Order).values(public_id=ids.new_public_id(), **values))
    second = orders_page(Wanted(), first.cursor, 10)
    assert [line.order.id for line in second.lines] == [order.id for order in orders[10:20]]


def test_a_place_in_one_list_is_none_in_another(orders):
    cursor = orders_page(Wanted(), None, 10).cursor
    assert cursor is not None
    for other in (Wanted(course_id=CPP), Wanted(courses=[CPP]), Wanted(learner_id=1)):
        with pytest.raises(BadCursor):
            orders_page(other, cursor)


def test_an_export_goes_to_the_end_and_no_further_than_it_says(orders, monkeypatch):
    monkeypatch.setattr("portal.desk.listing._EXPORT_PAGE", 4)
    assert [line.order.id for line in every_line(Wanted())] == [order.id for order in orders]
    assert not is_longer_than_an_export(Wanted())
    monkeypatch.setattr("portal.desk.listing.EXPORT_ROWS", 10)
    assert [line.order.id for line in every_line(Wanted())] == [order.id for order in orders[:10]]
    assert is_longer_than_an_export(Wanted())
    assert not is_longer_than_an_export(Wanted(status=OrderStatus.FAILED))
