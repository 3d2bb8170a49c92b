"""A long export of the audit, made by the worker step by step while somebody watches."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.audit.models import AuditRow
from portal.audit.queries import AuditFilter, cells_of, lines_after
from portal.batches.models import OPEN, Batch, BatchPart
from portal.batches.services import Step, begin_batch
from portal.kit import clock
from portal.kit.csv_text import MARK, csv_lines
from portal.kit.db import db, transactional
from portal.learners.models import Learner
from portal.staff.second_factor import staff_actor

AUDIT_EXPORT = "audit_export"
LARGE = 10_000
"""An export of more rows is made by the worker; a smaller one is sent at once."""
KEPT = timedelta(days=7)
_ROWS_A_STEP = 1000


@transactional
def begin_export(person: Learner, wanted: AuditFilter, header: Sequence[str]) -> str:
    """Put an export on record, of the rows that there are now, and return the id of its batch.

    Args:
        header: the names of the columns, in the language of whoever asked.
    """
    newest = db.session.scalar(sa.select(sa.func.max(AuditRow.id))) or 0
    who = staff_actor(person)
    asked = asdict(wanted) | {"day": wanted.day.isoformat() if wanted.day else None}
    params = {"header": list(header), "newest": newest, "wanted": asked}
    job_id = begin_batch(AUDIT_EXPORT, person.id, who, params, "", None)
    audit.record("audit.exported", "audit", who, filter=json.dumps(asked)[:500], job=job_id)
    return job_id


def export_step(batch: Batch, _tools: object) -> Step:
    """Write the next thousand rows, in the running transaction."""
    wanted, newest = _wanted(batch.params["wanted"]), batch.params["newest"]
    lines = lines_after(wanted, batch.cursor, _ROWS_A_STEP)
    now = [line for line in lines if line.row.id <= newest]
    is_first = batch.cursor == 0
    head = [batch.params["header"]] if is_first else []
    return Step(
        done=len(now),
        cursor=now[-1].row.id if now else batch.cursor,
        is_last=len(now) < _ROWS_A_STEP,
        total=_count(wanted, newest) if is_first else None,
        text=(MARK if is_first else "") + csv_lines([*head, *map(cells_of, now)]),
    )


def _wanted(asked: dict[str, Any]) -> AuditFilter:
    only = asked["only_actors"]
    return AuditFilter(
        asked["actor"],
        asked["action"],
        asked["subject"],
        date.fromisoformat(asked["day"]) if asked["day"] else None,
        tuple(only) if only is not None else None,
    )


def _count(wanted: AuditFilter, newest: int) -> int:
    query = wanted.apply(sa.select(sa.func.count()).select_from(AuditRow))
    return db.session.scalar(query.where(AuditRow.id <= newest)) or 0


@transactional
def sweep_exports() -> int:
    """Delete what exports wrote more than a week ago, and return how many pieces; the record of them stays."""
    over = sa.select(Batch.id).where(
        Batch.kind == AUDIT_EXPORT, Batch.status.not_in(OPEN), Batch.created_at < clock.now() - KEPT
    )
    old = list(db.session.scalars(over))
    if not old:
        return 0
    swept = db.session.execute(sa.delete(BatchPart).where(BatchPart.batch_id.in_(old)))
    return int(getattr(swept, "rowcount", 0))
