"""Claim a call, note how far it came, store its answer."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.idempotency.models import IdempotencyKey
from portal.kit import clock, ids
from portal.kit.db import ChangedMeanwhile, changed_one, db, insert_row, transactional
from portal.kit.errors import Conflict, Invalid

_LEASE = timedelta(seconds=30)
_KEPT = timedelta(hours=72)
_BATCH = 1000
# A call ends within seconds; only one that died holds its key for the whole lease.
_RETRY_SECONDS = 2


class IdempotencyMismatch(Invalid):
    """The key was used for another body."""

    code = "idempotency_mismatch"


class InProgress(Conflict):
    """The first call with this key is still running."""

    code = "in_progress"
    retry_after = _RETRY_SECONDS


@dataclass(frozen=True)
class Call:
    """What is asked, and by whom. `lease` names this very attempt to answer it."""

    principal: str
    method: str
    route: str
    key: str
    body_digest: str
    lease: str


@dataclass(frozen=True)
class Claim:
    """A call that is ours to answer, or (with `answer`) that was answered already."""

    id: int
    lease: str
    subject_id: str | None = None
    status: int | None = None
    answer: str | None = None


def call(principal: str, method: str, route: str, key: str, body: Any) -> Call:
    """Return a call to be claimed; two bodies are the same when they say the same, however they are spaced."""
    canonical = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Call(principal, method, route, key, digest, ids.new_public_id())


def claim(asked: Call) -> Claim:
    """Take a call, in the running transaction.

    Raises:
        IdempotencyMismatch: the key stands for another body.
        InProgress: another is answering it.
        IntegrityError: another took it at this moment (`transactional` looks again).
    """
    row = db.session.execute(
        sa.select(IdempotencyKey)
        .where(
            IdempotencyKey.principal == asked.principal,
            IdempotencyKey.method == asked.method,
            IdempotencyKey.route == asked.route,
            IdempotencyKey.key == asked.key,
        )
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None:
        return _insert(asked)
    if row.body_digest != asked.body_digest:
        raise IdempotencyMismatch
    if row.answer is not None:
        return Claim(row.id, row.lease, row.subject_id, row.status, row.answer)
    # Our own lease is found when the connection was lost while committing it.
    if row.lease != asked.lease and clock.now() < row.lease_until:
        raise InProgress
    _take_over(row, asked.lease)
    return Claim(row.id, asked.lease, row.subject_id, row.status)


def _insert(asked: Call) -> Claim:
    now = clock.now()
    values = {
        "principal": asked.principal,
        "method": asked.method,
        "route": asked.route,
        "key": asked.key,
        "body_digest": asked.body_digest,
        "lease": asked.lease,
        "lease_until": now + _LEASE,
        "created_at": now,
    }
    return Claim(insert_row(sa.insert(IdempotencyKey).values(**values)), asked.lease)


def _take_over(row: IdempotencyKey, lease: str) -> None:
    taken = db.session.execute(
        sa.update(IdempotencyKey)
        .where(
            IdempotencyKey.id == row.id, IdempotencyKey.lease == row.lease, IdempotencyKey.answer.is_(None)
        )
        .values(lease=lease, lease_until=clock.now() + _LEASE)
        .execution_options(synchronize_session=False)
    )
    # MySQL counts the rows it changed: our own lease taken again is none, and is ours all the same.
    if not changed_one(taken) and row.lease != lease:
        raise ChangedMeanwhile(f"idempotency key {row.id}")


def _update(claimed: Claim, **values: object) -> None:
    db.session.execute(
        sa.update(IdempotencyKey)
        .where(
            IdempotencyKey.id == claimed.id,
            IdempotencyKey.lease == claimed.lease,
            IdempotencyKey.answer.is_(None),
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def note(claimed: Claim, subject_id: str, status: int) -> None:
    """Remember, in the running transaction, what was made and how it will be answered."""
    _update(claimed, subject_id=subject_id, status=status)


@transactional
def finish(claimed: Claim, answer: str) -> None:
    """Store the answer that every repeat will get; nothing happens when another has taken the call over."""
    _update(claimed, answer=answer)


@transactional
def release(claimed: Claim) -> None:
    """Let a repeat go on at once, after a failure on the way to the answer."""
    _update(claimed, lease_until=clock.now())


@transactional
def forget_old() -> int:
    """Drop keys older than three days, at most 1,000, and return how many."""
    old = sa.select(IdempotencyKey.id).where(IdempotencyKey.created_at < clock.now() - _KEPT).limit(_BATCH)
    found = list(db.session.scalars(old))
    db.session.execute(
        sa.delete(IdempotencyKey)
        .where(IdempotencyKey.id.in_(found))
        .execution_options(synchronize_session=False)
    )
    return len(found)
