"""Write audit rows, seal them into the chain, and prove the chain."""

import getpass
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.kit import clock
from portal.kit.db import ChangedMeanwhile, add_row, changed_one, db, transactional

SYSTEM = "system"
_GENESIS = "0" * 64
_BATCH = 500


def operator() -> str:
    """Return who types commands on this host, as an actor."""
    try:
        return f"operator:{getpass.getuser()}"[:64]
    except (OSError, KeyError):
        return "operator:unknown"


def record(action: str, subject: str, actor: str, **facts: object) -> None:
    """Add an audit row to the running transaction; `facts` hold ids and amounts, never secrets."""
    add_row(
        AuditRow,
        at=clock.now(),
        actor=actor,
        action=action,
        subject=subject,
        facts=json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    )


def _digest(prev_hash: str, seq: int, row: Any) -> str:
    canonical = json.dumps(
        [seq, clock.iso(row.at), row.actor, row.action, row.subject, row.facts],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(f"{prev_hash}\n{canonical}".encode()).hexdigest()


def _head() -> tuple[int, str]:
    head = db.session.execute(
        sa.select(AuditRow.seq, AuditRow.hash)
        .where(AuditRow.seq.is_not(None))
        .order_by(AuditRow.seq.desc())
        .limit(1)
    ).first()
    return (head.seq, head.hash) if head else (0, _GENESIS)


@transactional
def seal() -> int:
    """Chain the rows not yet sealed, at most 500, and return how many.

    The order of sealing is the chain's order: a row whose transaction commits late is sealed late. Two
    sealers cannot fork the chain, because `seq` and `prev_hash` are unique.
    """
    seq, prev_hash = _head()
    rows = db.session.execute(
        sa.select(AuditRow).where(AuditRow.seq.is_(None)).order_by(AuditRow.id).limit(_BATCH)
    ).scalars()
    sealed = 0
    for row in rows:
        seq += 1
        digest = _digest(prev_hash, seq, row)
        chained = db.session.execute(
            sa.update(AuditRow)
            .where(AuditRow.id == row.id, AuditRow.seq.is_(None))
            .values(seq=seq, prev_hash=prev_hash, hash=digest)
        )
        if not changed_one(chained):
            raise ChangedMeanwhile("another sealer was first")
        prev_hash = digest
        sealed += 1
    return sealed


@dataclass(frozen=True)
class ChainState:
    """What `verify` found. `broken_at` is the first sealed row that does not fit, by its `seq`."""

    sealed: int
    unsealed: int
    broken_at: int | None


def _link_before(newest: int | None) -> tuple[str, int]:
    """Return hash and number of the link after which the newest `newest` begin."""
    first = 0 if newest is None else max(_head()[0] - newest, 0)
    if first == 0:
        return _GENESIS, 0
    known = db.session.scalar(sa.select(AuditRow.hash).where(AuditRow.seq == first))
    return known or "", first


def verify(newest: int | None = None) -> ChainState:
    """Walk the chain and name the first broken link.

    Args:
        newest: how many links to walk, the newest; all from the beginning when left out.
    """
    prev_hash, count = _link_before(newest)
    rows = db.session.execute(
        sa.select(AuditRow)
        .where(AuditRow.seq > count)
        .order_by(AuditRow.seq)
        .execution_options(yield_per=1000)
    ).scalars()
    broken_at = None
    for row in rows:
        count += 1
        if row.seq != count or row.prev_hash != prev_hash or row.hash != _digest(prev_hash, count, row):
            broken_at = count
            break
        prev_hash = row.hash or ""
    unsealed = db.session.scalar(
        sa.select(sa.func.count()).select_from(AuditRow).where(AuditRow.seq.is_(None))
    )
    return ChainState(
        sealed=count if broken_at is None else broken_at - 1, unsealed=unsealed or 0, broken_at=broken_at
    )
