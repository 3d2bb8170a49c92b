"""Begin long work, do its steps, cancel it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.batches.models import OPEN, Batch, BatchPart, BatchProblem, BatchStatus
from portal.kit import clock, faults, ids
from portal.kit.db import ChangedMeanwhile, changed_one, db, insert_row, transactional
from portal.outbox import services as outbox

_FAILURES_ALLOWED = 3


@dataclass(frozen=True)
class Step:
    """What one step did: items done, where the next begins, its piece of the result, what could not be done.

    `total` is how many items there are, None while that is not known.
    """

    done: int
    cursor: int
    is_last: bool
    total: int | None = None
    text: str = ""
    problems: Mapping[int, str] = field(default_factory=dict)


StepOf = Callable[[Batch, Any], Step]
"""Does the next step of a batch, with the portal's tools, in the running transaction; speaks to no network."""


def begin_batch(
    kind: str, created_by: int, actor: str, params: dict[str, Any], text: str, total: int | None
) -> str:
    """Put a batch and the work of running it on record, in the running transaction; return its public id.

    Args:
        kind: which steps it has.
        created_by: the row id of whoever watches it.
        actor: the same person, as the audit names them.
        params: how it is done; no secrets.
        text: what it works on.
        total: how many items there are, where that is known.
    """
    public_id = ids.new_public_id()
    batch_id = insert_row(
        sa.insert(Batch).values(
            public_id=public_id,
            kind=kind,
            status=BatchStatus.QUEUED.value,
            created_by=created_by,
            params=params,
            input=text,
            cursor=0,
            step=0,
            failures=0,
            done=0,
            total=total,
            is_cancelled=False,
            created_at=clock.now(),
        )
    )
    outbox.add("run_batch", f"run_batch:{batch_id}", batch_id)
    audit.record("batch.begun", f"batch:{public_id}", actor, kind=kind, total=total)
    return public_id


@transactional
def advance(batch_id: int, steps: Mapping[str, StepOf], tools: Any) -> bool:
    """Do the next step of a batch; return whether there is more to do.

    Raises:
        ChangedMeanwhile: another worker did this step; nothing was done twice.
    """
    batch = db.session.get(Batch, batch_id, populate_existing=True)
    if batch is None or not batch.is_open:
        return False
    now = clock.now()
    if batch.is_cancelled:
        _move(batch, status=BatchStatus.CANCELLED.value, ended_at=now)
        return False
    step = steps[batch.kind](batch, tools)
    _move(
        batch,
        status=(BatchStatus.DONE if step.is_last else BatchStatus.RUNNING).value,
        cursor=step.cursor,
        done=batch.done + step.done,
        total=batch.total if step.total is None else step.total,
        failures=0,
        started_at=batch.started_at or now,
        ended_at=now if step.is_last else None,
    )
    if step.text:
        db.session.execute(sa.insert(BatchPart).values(batch_id=batch_id, step=batch.step, text=step.text))
    for item, text in step.problems.items():
        db.session.execute(sa.insert(BatchProblem).values(batch_id=batch_id, item=item, text=text[:200]))
    faults.point("batch.before_commit")
    return not step.is_last


def _move(batch: Batch, **values: Any) -> None:
    moved = db.session.execute(
        sa.update(Batch)
        .where(Batch.id == batch.id, Batch.step == batch.step, Batch.status.in_(OPEN))
        .values(step=Batch.step + 1, **values)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(moved):
        raise ChangedMeanwhile(batch.public_id)


@transactional
def note_failure(batch_id: int, reason: str) -> bool:
    """Count a failed step; return whether the batch is given up now.

    Args:
        reason: safe to show.
    """
    db.session.execute(
        sa.update(Batch)
        .where(Batch.id == batch_id, Batch.status.in_(OPEN))
        .values(failures=Batch.failures + 1, last_error=reason[:200])
    )
    given_up = db.session.execute(
        sa.update(Batch)
        .where(Batch.id == batch_id, Batch.status.in_(OPEN), Batch.failures >= _FAILURES_ALLOWED)
        .values(status=BatchStatus.FAILED.value, ended_at=clock.now())
    )
    return changed_one(given_up)


@transactional
def cancel_batch(public_id: str, actor: str) -> bool:
    """Ask a batch to stop before its next step; return whether it was still open."""
    asked = db.session.execute(
        sa.update(Batch)
        .where(Batch.public_id == public_id, Batch.status.in_(OPEN), Batch.is_cancelled.is_(False))
        .values(is_cancelled=True)
    )
    if changed_one(asked):
        audit.record("batch.cancelled", f"batch:{public_id}", actor)
        return True
    return False
