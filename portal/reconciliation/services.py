"""Reconcile a day: get its bill, take it in, settle what only it knows, compare. Each step may be done again."""

import logging
import tempfile
from datetime import date, datetime, timedelta
from typing import BinaryIO

import sqlalchemy as sa

from portal.audit import services as audit
from portal.cases.models import CaseKind
from portal.cases.queries import case_about
from portal.cases.services import open_case, resolve_case
from portal.gateways.base import BadBill, GatewayError, NoBill
from portal.kit import beijing, clock
from portal.kit.db import db, transactional
from portal.outbox import services as outbox
from portal.payments.models import Payment
from portal.reconciliation.comparing import compare
from portal.reconciliation.differences import has_payments
from portal.reconciliation.importing import AnotherBill, import_bill, note_no_bill, run_of
from portal.reconciliation.models import BillRun, RunState, Source
from portal.reconciliation.refund_differences import has_refunds
from portal.reconciliation.refund_settling import settle_missing_refunds
from portal.reconciliation.settling import settle_missing
from portal.tools import Tools

log = logging.getLogger(__name__)

DAYS_KEPT = 90
"""How long a gateway gives its bills (WeChat Pay: three months)."""
_READY = timedelta(hours=10)
"""Bills are made from 9:00 and are to be fetched from 10:00 on, Beijing."""
_PATIENCE = timedelta(hours=5)
"""Until 15:00; then a person is told. A day taken up later has as long."""
_DAYS_LOOKED_AT_AGAIN = timedelta(days=14)
ONE_DAY = timedelta(days=1)


class NoBillYet(Exception):
    """There is no bill to compare with now; `args[0]` says why, safe to show."""


def reconcile_day(
    gateway: str, day: date, tools: Tools, actor: str = audit.SYSTEM, file: BinaryIO | None = None
) -> int:
    """Reconcile a day in Beijing and return its run's id.

    Args:
        file: the bill, when it is not to be fetched; it proves no payment.
        actor: who asked for it.

    Raises:
        NoBillYet: the gateway gives no bill that can be used; it is on record, and a case once it is overdue.
        BadBill, AnotherBill: `file` is not this day's bill, or not the one imported before.
    """
    run_id = run_of(gateway, tools.gateway(gateway).mchid, day)
    if file is not None:
        import_bill(run_id, tools.gateway(gateway).read_bill(day, file), Source.FILE, actor)
    else:
        if not _is_proven(run_id):
            _fetch(run_id, day, tools, actor)
        # Also when whoever fetched it died before this.
        _end_waiting(run_id)
    _settle_and_compare(run_id, tools)
    for other_id in _different_of_late(run_id):
        _settle_and_compare(other_id, tools)
    return run_id


def reconcile_run(run_id: int, tools: Tools) -> None:
    """Reconcile the day of a run, as the worker does.

    Raises:
        NoBillYet: as above; a day older than the gateway keeps its bills is let go, its case stays.
    """
    run = db.session.get_one(BillRun, run_id, populate_existing=True)
    try:
        reconcile_day(run.gateway, run.bill_date, tools)
    except NoBillYet:
        if beijing.day_of(clock.now()) - run.bill_date <= DAYS_KEPT * ONE_DAY:
            raise


def _is_proven(run_id: int) -> bool:
    return db.session.scalar(sa.select(BillRun.source).where(BillRun.id == run_id)) == Source.GATEWAY


def _fetch(run_id: int, day: date, tools: Tools, actor: str) -> None:
    run = db.session.get_one(BillRun, run_id)
    gateway = tools.gateway(run.gateway)
    try:
        with tempfile.TemporaryFile() as file:
            import_bill(run_id, gateway.trade_bill(day, file), Source.GATEWAY, actor)
    except NoBill as error:
        if _is_early(day) or has_payments(run) or has_refunds(run):
            _note_failure(run_id, error.reason)
            raise NoBillYet(error.reason) from None
        note_no_bill(run_id)
    except (GatewayError, BadBill, AnotherBill) as error:
        reason = _reason(error)
        _note_failure(run_id, reason)
        raise NoBillYet(reason) from None


def _reason(error: Exception) -> str:
    if isinstance(error, AnotherBill):
        return "The gateway's bill is not the one that was imported from a file."
    return error.reason if isinstance(error, GatewayError) else str(error)


def _settle_and_compare(run_id: int, tools: Tools) -> None:
    run = db.session.get_one(BillRun, run_id, populate_existing=True)
    settle_missing(run, tools)
    settle_missing_refunds(run, tools)
    compare(run_id)


def _different_of_late(run_id: int) -> list[int]:
    """Return the days before that differ: what mends them may have come meanwhile."""
    run = db.session.get_one(BillRun, run_id, populate_existing=True)
    return list(
        db.session.scalars(
            sa.select(BillRun.id).where(
                BillRun.gateway == run.gateway,
                BillRun.mchid == run.mchid,
                BillRun.bill_date >= run.bill_date - _DAYS_LOOKED_AT_AGAIN,
                BillRun.state == RunState.DIFFERENT.value,
                BillRun.id != run_id,
            )
        )
    )


def _ready_at(day: date) -> datetime:
    return beijing.begin_of(day) + ONE_DAY + _READY


def _is_early(day: date) -> bool:
    return clock.now() < _ready_at(day)


def _cause(run: BillRun) -> str:
    return f"{run.gateway}:{run.mchid}:{run.bill_date}"


@transactional
def _note_failure(run_id: int, reason: str) -> None:
    run = db.session.get_one(BillRun, run_id, populate_existing=True)
    now = clock.now()
    run.first_tried_at = run.first_tried_at or now
    run.last_error = reason[:200]
    log.warning("no bill", extra={"gateway": run.gateway, "bill_date": str(run.bill_date), "why": reason})
    if now >= max(run.first_tried_at, _ready_at(run.bill_date)) + _PATIENCE:
        evidence = {"gateway": run.gateway, "bill_date": str(run.bill_date), "why": reason}
        open_case(CaseKind.BILL_OVERDUE, _cause(run), evidence)


@transactional
def _end_waiting(run_id: int) -> None:
    run = db.session.get_one(BillRun, run_id, populate_existing=True)
    case_id = case_about(_cause(run))
    if case_id is not None:
        resolve_case(case_id, "The bill has come.")


def plan_days(tools: Tools) -> int:
    """Put the work of every day whose bill is to be had on record; return how many days were added.

    Begins with the day of the first payment; days that passed while no worker ran are caught up, as far back
    as the gateway keeps its bills.
    """
    return sum(_plan(gateway.name, gateway.mchid) for gateway in tools.gateways.values())


@transactional
def _plan(gateway: str, mchid: str) -> int:
    now = clock.now()
    last = db.session.scalar(
        sa.select(sa.func.max(BillRun.bill_date)).where(
            BillRun.gateway == gateway, BillRun.mchid == mchid, BillRun.planned_at.is_not(None)
        )
    )
    first = last + ONE_DAY if last is not None else _first_day(gateway)
    if first is None:
        return 0
    newest = beijing.day_of(now - _READY) - ONE_DAY
    days = list(beijing.days_between(max(first, newest - DAYS_KEPT * ONE_DAY), newest))
    for day in days:
        run_id = run_of(gateway, mchid, day)
        db.session.execute(sa.update(BillRun).where(BillRun.id == run_id).values(planned_at=now))
        outbox.add("reconcile_day", f"reconcile_day:{run_id}", run_id)
    return len(days)


def _first_day(gateway: str) -> date | None:
    begun = db.session.scalar(
        sa.select(Payment.created_at).where(Payment.gateway == gateway).order_by(Payment.id).limit(1)
    )
    return beijing.day_of(begun) if begun is not None else None
