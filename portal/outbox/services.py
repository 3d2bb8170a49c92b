"""Add work to the outbox, claim it by lease, and finish, delay or give it up."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.kit import clock, ids
from portal.kit.db import UtcDateTime, add_row, changed_one, db, run, table_of, transactional
from portal.outbox.models import Job, JobStatus

LEASE = timedelta(seconds=60)
"""For how long work is a worker's alone, unless its kind says less: what a dead worker held waits so long."""


def add(kind: str, effect_key: str, subject_id: str | int, due_at: datetime | None = None) -> None:
    """Add work to the running transaction.

    Args:
        kind: which handler does it.
        effect_key: names the effect; a second row with the same key is refused by the database.
        subject_id: the id of what it is about.
        due_at: the earliest moment, UTC; now when left out.

    Raises:
        IntegrityError: when the effect is already on record (`transactional` looks again).
    """
    now = clock.now()
    add_row(
        Job,
        kind=kind,
        effect_key=effect_key,
        subject_id=str(subject_id),
        status=JobStatus.PENDING.value,
        attempts=0,
        due_at=due_at or now,
        created_at=now,
    )


def is_recorded(effect_key: str) -> bool:
    """Tell whether the effect has a row, whatever became of it."""
    return db.session.scalar(sa.select(Job.id).where(Job.effect_key == effect_key)) is not None


@transactional
def hasten(effect_key: str, after_seconds: float = 0) -> None:
    """Make pending work due now, or `after_seconds` from now; never later than it was."""
    due_at = clock.now() + timedelta(seconds=after_seconds)
    db.session.execute(
        sa.update(Job)
        .where(Job.effect_key == effect_key, Job.status == JobStatus.PENDING.value, Job.due_at > due_at)
        .values(due_at=due_at)
        .execution_options(synchronize_session=False)
    )


def ensure(kind: str, effect_key: str, subject_id: str | int, due_at: datetime | None = None) -> None:
    """Have work due, in the running transaction: added when there is none, again when it was done or given up.

    Args:
        due_at: when, UTC, also for work that is pending; left out, pending work stays as it is and other is due now.
    """
    if not is_recorded(effect_key):
        add(kind, effect_key, subject_id, due_at)
        return
    again = sa.update(Job).where(Job.effect_key == effect_key)
    if due_at is None:
        again = again.where(Job.status != JobStatus.PENDING.value)
    db.session.execute(
        again.values(status=JobStatus.PENDING.value, due_at=due_at or clock.now(), done_at=None)
    )


def is_waiting(kind: str, subject_id: str | int, is_due: bool = False) -> bool:
    """Tell whether work of a kind about something is still to be done; `is_due`: now."""
    query = sa.select(Job.id).where(
        Job.kind == kind, Job.subject_id == str(subject_id), Job.status == JobStatus.PENDING.value
    )
    if is_due:
        query = query.where(Job.due_at <= clock.now())
    return db.session.scalar(query.limit(1)) is not None


def count_waiting(kind: str) -> int:
    """Return how much work of a kind is still to be done, due or not."""
    query = (
        sa.select(sa.func.count())
        .select_from(Job)
        .where(Job.kind == kind, Job.status == JobStatus.PENDING.value)
    )
    return db.session.scalar(query) or 0


@transactional
def hasten_all(kind: str, subject_id: str | int) -> None:
    """Make all pending work of a kind about something due now."""
    db.session.execute(
        sa.update(Job)
        .where(Job.kind == kind, Job.subject_id == str(subject_id), Job.status == JobStatus.PENDING.value)
        .values(due_at=clock.now())
    )


_jobs = table_of(Job).c
_SETTLE = (
    sa.update(table_of(Job))
    .where(_jobs.effect_key == sa.bindparam("effect"), _jobs.status == JobStatus.PENDING.value)
    .values(status=JobStatus.DONE.value, lease=None, lease_until=None)
)


def settle_effect(effect_key: str) -> None:
    """Mark work done by somebody else than a worker, in the running transaction."""
    run(_SETTLE, {"effect": effect_key, "done_at": clock.now()})


@dataclass(frozen=True)
class Claim:
    """Work that is ours until the lease ends. `attempts` counts this one."""

    id: int
    kind: str
    effect_key: str
    subject_id: str
    attempts: int
    created_at: datetime
    lease: str


def due_ids(limit: int, *, only: Collection[str] | None = None, but: Collection[str] = ()) -> list[int]:
    """Return ids of work that is due and not leased, oldest first.

    Args:
        only: these kinds; all when left out.
        but: none of these kinds.
    """
    now = clock.now()
    kinds = [Job.kind.not_in(but)] if but else []
    kinds += [Job.kind.in_(only)] if only is not None else []
    query = (
        sa.select(Job.id)
        .where(
            Job.status == JobStatus.PENDING.value,
            Job.due_at <= now,
            sa.or_(Job.lease_until.is_(None), Job.lease_until <= now),
            *kinds,
        )
        .order_by(Job.due_at)
        .limit(limit)
    )
    return list(db.session.scalars(query))


@transactional
def claim(job_id: int, leases: Mapping[str, timedelta] | None = None) -> Claim | None:
    """Take the lease of a job, or return None when another worker has it or has done it.

    Args:
        leases: how long the lease is by kind, where it is not the usual minute.

    The compare-and-set on status, due time and lease is what keeps two workers from one job.
    """
    now, lease = clock.now(), ids.new_public_id()
    taken = db.session.execute(
        sa.update(Job)
        .where(
            Job.id == job_id,
            Job.status == JobStatus.PENDING.value,
            Job.due_at <= now,
            sa.or_(Job.lease_until.is_(None), Job.lease_until <= now),
        )
        .values(lease=lease, lease_until=_end_of_lease(now, leases or {}), attempts=Job.attempts + 1)
    )
    if not changed_one(taken):
        return None
    job = db.session.execute(
        sa.select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
    ).scalar_one()
    return Claim(job.id, job.kind, job.effect_key, job.subject_id, job.attempts, job.created_at, lease)


def _end_of_lease(now: datetime, leases: Mapping[str, timedelta]) -> sa.ColumnElement[datetime]:
    usual = sa.literal(now + LEASE, UtcDateTime())
    if not leases:
        return usual
    ends = {kind: sa.literal(now + lease, UtcDateTime()) for kind, lease in leases.items()}
    return sa.case(ends, value=Job.kind, else_=usual)


def _release(claimed: Claim, **values: object) -> bool:
    released = db.session.execute(
        sa.update(Job)
        .where(Job.id == claimed.id, Job.lease == claimed.lease, Job.status == JobStatus.PENDING.value)
        .values(lease=None, lease_until=None, **values)
    )
    return changed_one(released)


@transactional
def finish(claimed: Claim) -> None:
    """Mark the work done."""
    _release(claimed, status=JobStatus.DONE.value, done_at=clock.now(), last_error=None)


@transactional
def delay(claimed: Claim, seconds: float, reason: str) -> None:
    """Put the work off by `seconds`; `reason` must be safe to show."""
    _release(claimed, due_at=clock.now() + timedelta(seconds=seconds), last_error=reason[:200])


@transactional
def give_up(claimed: Claim, reason: str) -> bool:
    """Stop trying, and tell whether the work was still ours; if so, the caller opens a case in this transaction."""
    return _release(claimed, status=JobStatus.DEAD.value, last_error=reason[:200])
