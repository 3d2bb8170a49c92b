"""Write audit rows, seal them into the chain, and prove the chain."""

import base64
import getpass
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from portal.audit.models import AuditHead, AuditRow
from portal.kit import beijing, clock, faults
from portal.kit.db import ChangedMeanwhile, add_row, changed_one, db, transactional

log = logging.getLogger(__name__)

SYSTEM = "system"
Origin = tuple[str | None, str | None]
"""Where an act comes from: the network address, and the public id of the session; None outside of a browser."""
GENESIS = "0" * 64
"""The `prev_hash` of the first link."""
_BATCH = 500


def operator() -> str:
    """Return who types commands on this host, as an actor."""
    try:
        return f"operator:{getpass.getuser()}"[:64]
    except (OSError, KeyError):
        return "operator:unknown"


def _from_nowhere() -> Origin:
    return None, None


_read_origin: Callable[[], Origin] = _from_nowhere


def read_origin_by(reader: Callable[[], Origin]) -> None:
    """Have rows say where their acts come from: `reader` is asked for each."""
    global _read_origin
    _read_origin = reader


def record(action: str, subject: str, actor: str, **facts: object) -> None:
    """Add an audit row to the running transaction; `facts` hold ids and amounts, never secrets.

    What changed goes into `before` and `after` (a value, or a mapping of names to values), why into `reason`:
    the audit's page shows these three by themselves.
    """
    address, session = _read_origin()
    add_row(
        AuditRow,
        at=clock.now(),
        actor=actor,
        action=action,
        subject=subject,
        facts=json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        address=address,
        session=session,
    )


def hash_of_link(prev_hash: str, seq: int, row: Any) -> str:
    """Return the hash of a row that is the link `seq`, from 1, and follows the one with `prev_hash`.

    Args:
        row: anything with the columns that tell an act.
    """
    content = [seq, clock.iso(row.at), row.actor, row.action, row.subject, row.facts]
    if row.address is not None or row.session is not None:
        # Rows from before there were these columns keep their hashes.
        content += [row.address, row.session]
    canonical = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{prev_hash}\n{canonical}".encode()).hexdigest()


def _head() -> tuple[int, str]:
    head = db.session.execute(
        sa.select(AuditRow.seq, AuditRow.hash)
        .where(AuditRow.seq.is_not(None))
        .order_by(AuditRow.seq.desc())
        .limit(1)
    ).first()
    return (head.seq, head.hash) if head else (0, GENESIS)


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
        digest = hash_of_link(prev_hash, seq, row)
        chained = db.session.execute(
            sa.update(AuditRow)
            .where(AuditRow.id == row.id, AuditRow.seq.is_(None))
            .values(seq=seq, prev_hash=prev_hash, hash=digest)
        )
        if not changed_one(chained):
            raise ChangedMeanwhile("another sealer was first")
        prev_hash = digest
        sealed += 1
    faults.point("audit.before_commit")
    return sealed


@dataclass(frozen=True)
class ChainState:
    """What `verify` found.

    `broken_at` is the place (`seq`) of the first row that does not fit, and `row_id` its id; None: the row
    itself is missing. `bad_head` is the first day (in Beijing) whose signed head does not fit: its signature is
    not ours, or rows that were there when it was signed have been cut off.
    """

    sealed: int
    unsealed: int
    broken_at: int | None
    row_id: int | None = None
    bad_head: date | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was changed behind the portal's back."""
        return self.broken_at is None and self.bad_head is None


def _link_before(newest: int | None) -> tuple[str, int]:
    """Return hash and number of the link after which the newest `newest` begin."""
    first = 0 if newest is None else max(_head()[0] - newest, 0)
    if first == 0:
        return GENESIS, 0
    known = db.session.scalar(sa.select(AuditRow.hash).where(AuditRow.seq == first))
    return known or "", first


def verify(is_genuine: Callable[[AuditHead], bool] | None = None, newest: int | None = None) -> ChainState:
    """Walk the chain and name the first broken link; then compare the signed heads.

    Args:
        is_genuine: tells whether the signature of a head is ours; None: it is not looked at
            (`licenses/audit_heads.py: chain_state` does).
        newest: how many links to walk, the newest; all from the beginning when left out.
    """
    prev_hash, count = _link_before(newest)
    # Columns and not mapped objects: of a million rows these cost more than the hashes.
    rows = db.session.execute(
        sa.select(*AuditRow.__table__.columns)
        .where(AuditRow.seq > count)
        .order_by(AuditRow.seq)
        .execution_options(yield_per=1000)
    )
    broken_at, row_id = None, None
    for row in rows:
        count += 1
        if row.seq != count or row.prev_hash != prev_hash or row.hash != hash_of_link(prev_hash, count, row):
            broken_at, row_id = count, row.id if row.seq == count else None
            break
        prev_hash = row.hash or ""
    unsealed = db.session.scalar(
        sa.select(sa.func.count()).select_from(AuditRow).where(AuditRow.seq.is_(None))
    )
    return ChainState(
        sealed=count if broken_at is None else broken_at - 1,
        unsealed=unsealed or 0,
        broken_at=broken_at,
        row_id=row_id,
        bad_head=_first_bad_head(is_genuine),
    )


def _first_bad_head(is_genuine: Callable[[AuditHead], bool] | None) -> date | None:
    heads = db.session.execute(
        sa.select(AuditHead, AuditRow.hash)
        .outerjoin(AuditRow, AuditRow.seq == AuditHead.seq)
        .order_by(AuditHead.day)
    )
    for head, hash_now in heads:
        if head.hash != hash_now or (is_genuine is not None and not is_genuine(head)):
            return head.day
    return None


def message_of(head: AuditHead) -> bytes:
    """Return what is signed of a head."""
    content = [head.day.isoformat(), head.seq, head.hash, clock.iso(head.signed_at), head.kid]
    return json.dumps(content, separators=(",", ":")).encode()


@transactional
def sign_head(kid: str, sign: Callable[[bytes], bytes]) -> AuditHead | None:
    """Sign the end of the chain, once a day (in Beijing), and log it: the log is another place than the table.

    Returns None when today's is signed, or there is nothing to sign.
    """
    now = clock.now()
    seq, hash_ = _head()
    if seq == 0 or db.session.get(AuditHead, beijing.day_of(now)) is not None:
        return None
    head = AuditHead(day=beijing.day_of(now), seq=seq, hash=hash_, signed_at=now, kid=kid)
    head.signature = base64.b64encode(sign(message_of(head))).decode()
    db.session.add(head)
    log.info("audit head signed", extra={"day": head.day.isoformat(), "seq": seq, "hash": hash_, "kid": kid})
    return head
