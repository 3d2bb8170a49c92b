"""A year of a million orders: what lists, reports, the overview, the doctor and the audit's proof cost there.

    PORTAL_TEST_MYSQLD=/path/to/mysqld python -m bench.year [ORDERS]

Fills a throwaway MySQL server (MariaDB where there is none), counts the days as the worker does, and asks for the pages
as a browser of the staff would. What counts is the CPU that the database uses, which other work on the machine hardly
changes; the time until it answers stands beside it. Rendering is left out.
"""

import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask

from bench import million
from bench.lists import ALLOWED_MS, Staff, measure_lists
from bench.servers import HOME, database, thread_seconds
from bench.sql_time import SqlTime
from portal.app import create_app
from portal.audit import services as audit
from portal.config import load_settings
from portal.doctor.invariants import INVARIANTS, offenders
from portal.jobs import run_due
from portal.kit import beijing, clock
from portal.kit.db import Patience, db
from portal.learners.models import Role
from portal.ledger.models import LedgerEntry
from portal.ledger.services import SALES
from portal.reports import check
from portal.reports.queries import Grain, Wanted, sales_by_time
from tests.support.databases import connect, new_database
from tests.support.processes import Sandbox, flask, portal_environment

ORDERS = 1_000_000
_REPORT_MS, _OVERVIEW_MS, _DOCTOR_SECONDS = 2_000.0, 200.0, 60.0
_WORST = 8


def measure_year(sandbox: Sandbox, orders: int = ORDERS) -> dict[str, Any]:
    """Print and return what a year of orders costs."""
    kind = "mysql" if os.environ.get("PORTAL_TEST_MYSQLD") else "mariadb"
    with database(kind) as server:
        env = portal_environment(HOME / "year", new_database(server, "year"), sandbox)
        flask(env, "db", "upgrade")
        connection = connect(server, "year")
        _, seconds = _timed(lambda: million.fill(connection, orders, clock.now()))
        connection.close()
        print(f"\na year of {orders:,} orders, {kind}: filled in {seconds:.0f} s")
        group = server.child.pid if server.child else 0
        return {"orders": orders, "database": kind, **_measured(env, lambda: thread_seconds(group))}


def _measured(env: dict[str, str], worked: Callable[[], float]) -> dict[str, Any]:
    app = create_app(load_settings({**env, "LOG_LEVEL": "ERROR"}), patience=Patience.COMMAND)
    with app.app_context():
        sql = SqlTime(db.engine, worked)
        days, seconds = _timed(check.rebuild)
        print(f"{days} days counted in {seconds:.0f} s, {seconds / days * 1000:.0f} ms a day")
    staff = Staff(app)
    figures = {
        "lists": _lists(app, sql, staff),
        "pages": _pages(sql, staff),
        "books_ms": _books(app),
        "doctor_cpu_seconds": _doctor(app, worked),
        "audit": _audit(app),
        "nothing_due_ms": _nothing_due(app, sql),
    }
    with app.app_context():
        db.engine.dispose()
    return figures


def _timed(act: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    return act(), time.perf_counter() - begun


def _verdict(value: float, allowed: float) -> str:
    return "good" if value <= allowed else f"above {allowed:g}"


def _lists(app: Flask, sql: SqlTime, staff: Staff) -> dict[str, Any]:
    found = measure_lists(app, sql, staff)
    print(
        f"\n{len(found)} lists, ms of the database's CPU:{'':<31}{'first':>8}{'page 1,000':>12}{'of waiting':>12}{'statements':>12}"
    )
    for words, first, later in found[:_WORST]:
        waited = max(first.ms, later.ms)
        print(f"  {words:<66}{first.cpu_ms:>8.1f}{later.cpu_ms:>12.1f}{waited:>12.1f}{first.statements:>12}")
    words, first, later = found[0]
    worst = max(first, later, key=lambda cost: cost.cpu_ms)
    print(f"the dearest page: {words}, {worst.cpu_ms:.1f} ms  {_verdict(worst.cpu_ms, ALLOWED_MS)}")
    print(f"  its slowest statement: …{worst.slowest[-160:]}")
    return {words: [round(first.cpu_ms, 2), round(later.cpu_ms, 2)] for words, first, later in found}


def _pages(sql: SqlTime, staff: Staff) -> dict[str, float]:
    """Return the milliseconds of CPU of the overview, of a year's reports, and of an order's whole story."""
    today = beijing.day_of(clock.now())
    year = f"from={today - timedelta(days=364)}&to={today}"
    asked = [("/admin", _OVERVIEW_MS), ("/admin/orders/order000000000000700", _OVERVIEW_MS)]
    asked += [(f"/admin/reports?{year}&by={grain.value}", _REPORT_MS) for grain in Grain]
    asked += [(f"/admin/reports?{year}&by=day&course=course-05", _REPORT_MS)]
    print(f"\nms of the database's CPU:{'':<51}{'of waiting':>12}{'statements':>12}")
    figures = {}
    for address, allowed in asked:
        cost = sql.of(staff.get(Role.ADMIN, address))
        print(
            f"  {address:<66}{cost.cpu_ms:>8.1f}{cost.ms:>12.1f}{cost.statements:>12}  {_verdict(cost.cpu_ms, allowed)}"
        )
        figures[address] = round(cost.cpu_ms, 2)
    return figures


def _books(app: Flask) -> float:
    """Compare the year's report with the ledger, and return how long the report took."""
    with app.app_context():
        today = beijing.day_of(clock.now())
        wanted = Wanted(today - timedelta(days=366), today)
        by_time, seconds = _timed(lambda: sales_by_time(wanted, Grain.MONTH))
        reported = sum(step.net_fen for step in by_time.values())
        sums = [
            db.session.scalar(sa.select(sa.func.sum(LedgerEntry.amount_fen)).where(account == SALES)) or 0
            for account in (LedgerEntry.credit_account, LedgerEntry.debit_account)
        ]
        booked = int(sums[0] - sums[1])
        db.session.rollback()
    verdict = "equal to the fen" if reported == booked else f"WRONG: the ledger says {booked}"
    print(f"net sales of the year: {reported} fen reported, {verdict}")
    return seconds * 1000


def _doctor(app: Flask, worked: Callable[[], float]) -> dict[str, float]:
    figures: dict[str, float] = {}
    begun = time.monotonic()
    with app.app_context():
        for promise in INVARIANTS:
            before = worked()
            found = offenders(promise, "test")
            db.session.rollback()
            figures[promise.name] = round(worked() - before, 2)
            if found:
                print(f"BROKEN: {promise.name}: {found}")
    total = sum(figures.values())
    print(
        f"\ndoctor: {len(figures)} promises, {total:.0f} s of the database's CPU in {time.monotonic() - begun:.0f} s  "
        f"{_verdict(total, _DOCTOR_SECONDS)}; the dearest:"
    )
    for name, seconds in sorted(figures.items(), key=lambda line: -line[1])[:5]:
        print(f"  {name:<66}{seconds:>8.1f} s")
    return figures


def _audit(app: Flask) -> dict[str, float]:
    with app.app_context():
        tracemalloc.start()
        state, seconds = _timed(lambda: audit.verify(newest=20_000))
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        state, seconds = _timed(audit.verify)
    verdict = "whole" if state.is_whole else f"BROKEN at {state.broken_at}"
    print(
        f"\naudit verify: {state.sealed:,} rows in {seconds:.0f} s, at most {peak:.0f} MB at once; {verdict}"
    )
    return {"seconds": round(seconds, 1), "megabytes": round(peak, 1)}


def _nothing_due(app: Flask, sql: SqlTime) -> float:
    with app.app_context():
        tools = app.extensions["portal_tools"]
        cost = sql.of(lambda: run_due(tools))
    print(f"the worker's look for work that is due: {cost.cpu_ms:.1f} ms of CPU")
    return round(cost.cpu_ms, 2)


def main() -> None:
    """Measure one year, of as many orders as the command says."""
    HOME.mkdir(parents=True, exist_ok=True)
    with Sandbox(HOME / "sandbox") as sandbox:
        measure_year(sandbox, int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)


if __name__ == "__main__":
    main()
