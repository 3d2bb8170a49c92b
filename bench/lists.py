"""A year of a million orders: what the admin's lists and reports cost there.

    PORTAL_TEST_DATABASE=mysql python -m bench.lists [ORDERS]

Fills a throwaway MySQL or MariaDB server, counts the days as the worker does, and prints how many milliseconds of SQL the
first page and page 1,000 take for every filter that the list of orders offers, and reports over the year.
"""

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask_migrate import upgrade

from bench.million import FIRST, fill
from portal.app import create_app
from portal.config import load_settings
from portal.desk.listing import PAGE_SIZE, Wanted, orders_page
from portal.desk.search import search
from portal.desk.story import story_of
from portal.kit import beijing, clock
from portal.kit.db import db
from portal.kit.keyset import Place, cursor_of
from portal.orders.models import Order, OrderStatus
from portal.reports import check, queries
from tests.support import databases
from tests.support.processes import Sandbox, portal_environment

PAGE = 1_000
_REPEATS = 5
_TEACHERS = ["course-01", "course-02", "course-03"]


class SqlTime:
    """Adds up the time between sending a statement and having its rows."""

    def __init__(self, engine: sa.Engine) -> None:
        self.seconds = 0.0
        self._begun = 0.0
        sa.event.listen(engine, "before_cursor_execute", self._begin)
        sa.event.listen(engine, "after_cursor_execute", self._end)

    def _begin(self, *_facts: Any) -> None:
        self._begun = time.perf_counter()

    def _end(self, *_facts: Any) -> None:
        self.seconds += time.perf_counter() - self._begun

    def of(self, act: Callable[[], Any]) -> float:
        """Return the milliseconds of SQL of an act, the median of five."""
        taken = []
        for _ in range(_REPEATS):
            self.seconds = 0.0
            act()
            db.session.rollback()
            taken.append(self.seconds * 1000)
        return statistics.median(taken)


def filters(today: date) -> Iterator[Wanted]:
    """Return every combination of filters, a value of each, and what somebody who teaches three courses sees."""
    days = [(None, None), (today - timedelta(days=200), today - timedelta(days=171)), (today, today)]
    for status, course_id, (first, last) in itertools.product(
        [None, *OrderStatus], [None, "course-05"], days
    ):
        yield Wanted(status, course_id, first, last)
    for status, (first, last) in itertools.product([None, *OrderStatus], days):
        yield Wanted(status, None, first, last, courses=_TEACHERS)
    yield Wanted(learner_id=FIRST + 4711)


def page_1000(wanted: Wanted) -> str | None:
    """Return the cursor of page 1,000 of a list, or of the last page of a shorter one; None for the first."""
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.status is not None:
        conditions.append(Order.status == wanted.status.value)
    courses = [wanted.course_id] if wanted.course_id else wanted.courses
    if courses is not None:
        conditions.append(Order.product_id.in_(courses))
    if wanted.learner_id is not None:
        conditions.append(Order.learner_id == wanted.learner_id)
    if wanted.first is not None:
        conditions.append(Order.created_at >= beijing.begin_of(wanted.first))
    if wanted.last is not None:
        conditions.append(Order.created_at < beijing.begin_of(wanted.last + timedelta(days=1)))
    newest_first = sa.select(Order.created_at, Order.id).where(*conditions)
    newest_first = newest_first.order_by(Order.created_at.desc(), Order.id.desc()).limit(
        (PAGE - 1) * PAGE_SIZE
    )
    rows = db.session.execute(newest_first).all()
    pages = (len(rows) - 1) // PAGE_SIZE
    full = len(rows) == (PAGE - 1) * PAGE_SIZE
    place = rows[-1] if full else rows[pages * PAGE_SIZE - 1] if pages > 0 else None
    return cursor_of(Place(place.created_at, place.id), wanted.listing) if place is not None else None


def measure_lists(sql: SqlTime) -> float:
    """Print what each filter costs, and return the worst."""
    worst = 0.0
    for wanted in filters(beijing.day_of(clock.now())):
        cursor = page_1000(wanted)
        first = sql.of(partial(orders_page, wanted))
        later = sql.of(partial(orders_page, wanted, cursor))
        worst = max(worst, first, later)
        parts = (
            wanted.status,
            wanted.course_id,
            wanted.first,
            wanted.courses and "3 courses",
            wanted.learner_id,
        )
        words = ", ".join(str(part) for part in parts if part) or "no filter"
        print(f"  {words:60s} first {first:7.1f} ms   page 1,000 or last {later:7.1f} ms")
    return worst


def measure_rest(sql: SqlTime) -> None:
    """Print what a search, a story and the reports cost."""
    today = beijing.day_of(clock.now())
    year = queries.Wanted(today - timedelta(days=364), today)
    acts: dict[str, Callable[[], Any]] = {
        "search by order number": lambda: search("order000000000004711", None),
        "search by transaction_id": lambda: search(f"42{FIRST + 4711:026d}", None),
        "search by out_trade_no": lambda: search(f"LBT{FIRST + 4711:024d}", None),
        "search by e-mail": lambda: search("person4711@example.com", None),
        "the whole story of an order": lambda: story_of("order000000000004700", None),
        "report: sales by day, a year": lambda: queries.sales_by_time(year, queries.Grain.DAY),
        "report: sales by course, a year": lambda: queries.sales_by_product(year),
        "report: funnel, a year": lambda: queries.funnel(year),
        "report: times to the license, a year": lambda: queries.delivery_times(year),
        "report: sales of one course, a year": lambda: queries.sales_by_time(
            replace(year, products=["course-05"]), queries.Grain.MONTH
        ),
    }
    for words, act in acts.items():
        print(f"  {words:60s} {sql.of(act):7.1f} ms")


@contextmanager
def shop(orders: int) -> Iterator[SqlTime]:
    """Start a server, fill it, and stay where the portal's tables can be read."""
    with tempfile.TemporaryDirectory() as folder, databases.database_server() as server:
        with Sandbox(Path(folder) / "sandbox") as sandbox:
            url = databases.new_database(server, "orders")
            app = create_app(load_settings(portal_environment(Path(folder) / "var", url, sandbox)))
        with app.app_context():
            upgrade()
            begun = time.monotonic()
            connection = databases.connect(server, "orders")
            fill(connection, orders, clock.now())
            connection.close()
            print(f"{orders:,} orders in {time.monotonic() - begun:.0f} s")
            yield SqlTime(db.engine)
            db.session.remove()
            db.engine.dispose()


def main() -> int:
    """Measure, and return 1 when a page takes more than 50 ms."""
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with shop(orders) as sql:
        begun = time.monotonic()
        days = check.rebuild()
        spent = time.monotonic() - begun
        print(f"{days} days counted in {spent:.0f} s, {spent / days * 1000:.0f} ms a day")
        worst = measure_lists(sql)
        measure_rest(sql)
    print(f"the slowest page took {worst:.1f} ms")
    return 1 if worst > 50 else 0


if __name__ == "__main__":
    sys.exit(main())
