"""What the worker does: run the outbox, end overdue orders, seal the audit, count for the reports.

Everything here may be run by any number of workers at once, and die anywhere: the rows are the record.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from portal.audit import services as audit
from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.desk.audit_export import sweep_exports
from portal.devices.grants import sweep_grants
from portal.devices.tokens import sweep_tokens
from portal.disputes import syncing as disputes
from portal.doctor import heartbeat
from portal.gateways.base import GatewayError
from portal.gateways.breaker import taking_turns
from portal.gateways.calls import sweep_calls
from portal.idempotency import services as idempotency
from portal.job_kinds import KINDS, UNKNOWN, Kind, NotYet
from portal.kit import clock, faults
from portal.kit.db import db, transactional
from portal.learners.resets import sweep_resets
from portal.learners.sessions import sweep_sessions
from portal.learners.throttle import sweep_throttles
from portal.licenses.audit_heads import sign_audit_head
from portal.orders.models import Order, OrderStatus
from portal.orders.services import overdue_order_ids
from portal.outbox import services as outbox
from portal.outbox.models import Job, JobStatus
from portal.outbox.services import Claim
from portal.payments.close import start_closing
from portal.payments.mend import mend
from portal.reconciliation.services import plan_days
from portal.reports.recount import bring_up_to_date
from portal.staff.second_factor import sweep_used_codes
from portal.switchboard.hold import is_on_hold
from portal.tools import Tools

log = logging.getLogger(__name__)

_BATCH = 50
# Two seconds of turns: the next round, and what is not for a gateway, is not kept waiting.
_GATEWAY_BATCH = 10
# A round ends soon after, whatever is left of mails and long work: the next begins with what money hangs on.
_WAITING_TURN = timedelta(seconds=5)


_SHORT_LEASES = {name: kind.lease for name, kind in KINDS.items() if kind.lease != outbox.LEASE}


def run_due(tools: Tools, limit: int = _BATCH) -> int:
    """Do the work that is due, and return how many rows were done. On hold, what only asks and books is.

    Args:
        limit: of what is done here, of gateways' work, and of mails and long work, each at most so many.
    """
    calling = {name for name, kind in KINDS.items() if kind.calls_gateway}
    waiting = {name for name, kind in KINDS.items() if kind.can_wait}
    wanted = {name for name, kind in KINDS.items() if kind.is_done_on_hold} if is_on_hold() else None
    done = 0
    for job_id in outbox.due_ids(limit, only=wanted, but=calling | waiting):
        done += _claim_and_run(job_id, tools)
    done += _call_gateways(calling if wanted is None else calling & wanted, tools, limit)
    until = clock.now() + _WAITING_TURN
    for job_id in outbox.due_ids(limit, only=waiting if wanted is None else waiting & wanted):
        done += _claim_and_run(job_id, tools)
        if clock.now() >= until:
            break
    return done


def _call_gateways(kinds: Collection[str], tools: Tools, limit: int) -> int:
    """Do due work of `kinds`, unless all gateways are away; what has piled up drains five calls a second (F6)."""
    for gateway in tools.gateways.values():
        gateway.probe()
    if all(gateway.is_away() for gateway in tools.gateways.values()):
        return 0
    done = 0
    with taking_turns():
        for job_id in outbox.due_ids(min(limit, _GATEWAY_BATCH), only=kinds):
            done += _claim_and_run(job_id, tools)
    return done


def _claim_and_run(job_id: int, tools: Tools) -> bool:
    claim = outbox.claim(job_id, _SHORT_LEASES)
    if claim is None:
        return False
    faults.point("work.after_claim")
    return _run(claim, tools)


def _run(claim: Claim, tools: Tools) -> bool:
    kind = KINDS.get(claim.kind, UNKNOWN)
    try:
        kind.do(claim, tools)
    except NotYet as error:
        _put_off(claim, kind, str(error), pause=error.pause)
        return False
    except Exception as error:
        # Whatever is wrong with one row must not stop the others; it is logged and ends as a case.
        db.session.rollback()
        log.exception("job failed", extra={"alert": True, "job_kind": claim.kind, "job_id": claim.id})
        _put_off(claim, kind, type(error).__name__, patience=8)
        return False
    faults.point("work.before_finish")
    outbox.finish(claim)
    faults.point("work.after_finish")
    return True


@transactional
def _put_off(
    claim: Claim, kind: Kind, reason: str, patience: int | None = None, pause: timedelta | None = None
) -> None:
    evidence = {"kind": claim.kind, "reason": reason}
    is_over = kind.gives_up_after is not None and clock.now() - claim.created_at > kind.gives_up_after
    fails_often = patience is not None and claim.attempts >= patience
    if is_over or (fails_often and kind.gives_up_after is not None):
        if outbox.give_up(claim, reason):
            open_case(CaseKind.DEAD_LETTER, claim.effect_key, evidence)
        return
    if fails_often:
        # Money hangs on it, and its attempts may have been mere waiting: a person looks, and it goes on.
        open_case(CaseKind.DEAD_LETTER, claim.effect_key, evidence)
    usual = kind.pauses[min(claim.attempts, len(kind.pauses)) - 1]
    outbox.delay(claim, pause.total_seconds() if pause else usual, reason)


def end_overdue_orders(limit: int = _BATCH) -> int:
    """Mark the orders whose time is over as closing, unless on hold; the outbox closes them. Returns how many."""
    if is_on_hold():
        return 0
    ended = 0
    for order_id in overdue_order_ids(clock.now(), limit):
        order = db.session.get(Order, order_id)
        if order is not None and start_closing(order, OrderStatus.EXPIRED, audit.SYSTEM):
            ended += 1
            faults.point("expiry.after_mark")
    return ended


def refresh_keys(tools: Tools) -> None:
    """Fetch every gateway's current keys; one that gives no trustworthy answer keeps those it had."""
    for gateway in tools.gateways.values():
        _fetch_keys(gateway.name, gateway.refresh_keys)


def refresh_wanted_keys(tools: Tools) -> None:
    """Fetch the keys of a gateway whose messages named one that we do not hold."""
    for gateway in tools.gateways.values():
        _fetch_keys(gateway.name, gateway.refresh_wanted_keys)


def _fetch_keys(gateway: str, fetch: Callable[[], None]) -> None:
    try:
        fetch()
    except GatewayError as error:
        log.warning("keys not refreshed", extra={"gateway": gateway, "why": error.reason})


def forget_what_is_over() -> int:
    """Delete sessions, links, codes, tokens, keys, counts, calls and exports whose time is over; returns how many."""
    of_people = sweep_sessions() + sweep_resets() + sweep_throttles() + sweep_used_codes()
    return (
        of_people
        + sweep_grants()
        + sweep_tokens()
        + idempotency.forget_old()
        + sweep_calls()
        + sweep_exports()
    )


@dataclass(frozen=True)
class Swept:
    """What one round of everything did."""

    orders_ending: int
    jobs_done: int
    jobs_waiting: int
    audit_sealed: int
    mended: int


def sweep(tools: Tools) -> Swept:
    """Do one round of everything, as the worker's timetable does."""
    heartbeat.beat()
    refresh_wanted_keys(tools)
    ending = end_overdue_orders()
    plan_days(tools)
    disputes.plan_sync(tools)
    done = run_due(tools)
    mended = mend()
    sealed = audit.seal()
    sign_audit_head(tools.key_ring)
    forget_what_is_over()
    bring_up_to_date()
    waiting = db.session.scalar(
        sa.select(sa.func.count()).select_from(Job).where(Job.status == JobStatus.PENDING.value)
    )
    return Swept(ending, done, waiting or 0, sealed, mended)
