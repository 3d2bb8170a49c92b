"""Reads of the audit: by actor, action, subject and day, newest first."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from portal.audit.models import AuditHead, AuditRow
from portal.kit import beijing
from portal.kit.csv_text import Cell
from portal.kit.db import db
from portal.kit.keyset import Place, cursor_of, place_of

T = TypeVar("T")

_PAGE = 50
_AT_ONCE = 1000


@dataclass(frozen=True)
class AuditFilter:
    """Which rows: empty fields let everything pass. `only_actors` limits what may be seen at all."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    day: date | None = None
    only_actors: tuple[str, ...] | None = None

    def apply(self, query: sa.Select[T]) -> sa.Select[T]:
        """Return the query with its conditions."""
        for column, value in (
            (AuditRow.actor, self.actor),
            (AuditRow.action, self.action),
            (AuditRow.subject, self.subject),
        ):
            if value:
                query = query.where(column == value)
        if self.day is not None:
            begin = beijing.begin_of(self.day)
            query = query.where(AuditRow.at >= begin, AuditRow.at < begin + timedelta(days=1))
        if self.only_actors is not None:
            query = query.where(AuditRow.actor.in_(self.only_actors))
        return query


@dataclass(frozen=True)
class AuditLine:
    """A row as it is shown: what was before and after, why, and the rest of its facts."""

    row: AuditRow
    before: str
    after: str
    reason: str
    rest: str


@dataclass(frozen=True)
class AuditPage:
    """Lines of the audit, newest first; `older` is the place of the next page."""

    lines: list[AuditLine]
    older: str | None


def audit_page(wanted: AuditFilter, cursor: str | None) -> AuditPage:
    """Return a page of the audit.

    Raises:
        BadCursor: the place is not one of this list.
    """
    listing = ("audit", wanted)
    query = wanted.apply(sa.select(AuditRow))
    if cursor:
        query = query.where(place_of(cursor, listing).before(AuditRow.at, AuditRow.id))
    newest = query.order_by(AuditRow.at.desc(), AuditRow.id.desc()).limit(_PAGE + 1)
    rows = list(db.session.scalars(newest))
    older = None
    if len(rows) > _PAGE:
        rows = rows[:_PAGE]
        older = cursor_of(Place(rows[-1].at, rows[-1].id), listing)
    return AuditPage([line_of(row) for row in rows], older)


def audit_lines(wanted: AuditFilter) -> Iterator[AuditLine]:
    """Go through all lines, oldest first, a thousand rows of the table at a time."""
    last = 0
    while True:
        lines = lines_after(wanted, last, _AT_ONCE)
        yield from lines
        if len(lines) < _AT_ONCE:
            return
        last = lines[-1].row.id
        db.session.expunge_all()


def lines_after(wanted: AuditFilter, last: int, count: int) -> list[AuditLine]:
    """Return the next `count` lines behind the row `last`, oldest first."""
    query = wanted.apply(sa.select(AuditRow)).where(AuditRow.id > last)
    return [line_of(row) for row in db.session.scalars(query.order_by(AuditRow.id).limit(count))]


def is_longer_than(wanted: AuditFilter, count: int) -> bool:
    """Tell whether there are more lines than `count`, reading no more than that."""
    # In no order: any index may end after so many.
    keys = wanted.apply(sa.select(AuditRow.id))
    return db.session.scalar(keys.offset(count).limit(1)) is not None


def cells_of(line: AuditLine) -> tuple[Cell, ...]:
    """Return a line as the cells of an export: the names of their columns are the door's."""
    row = line.row
    told = (row.seq, row.at, row.actor, row.action, row.subject, line.before, line.after)
    return (*told, line.reason, line.rest, row.address, row.session, row.hash)


def line_of(row: AuditRow) -> AuditLine:
    """Take the facts of a row apart."""
    try:
        facts: dict[str, Any] = dict(json.loads(row.facts))
    except (ValueError, TypeError):
        # Somebody changed it behind our back; `verify` names it, and the page must show all the same.
        facts = {"facts": row.facts}
    before, after, reason = (_text(facts.pop(name, None)) for name in ("before", "after", "reason"))
    return AuditLine(row, before, after, reason, _text(facts or None))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(part) or '–'}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(_text(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def latest_head() -> AuditHead | None:
    """Return the newest signed end of the chain."""
    return db.session.scalar(sa.select(AuditHead).order_by(AuditHead.day.desc()).limit(1))


def unsealed_count() -> int:
    """Count the rows that wait for their seal."""
    query = sa.select(sa.func.count()).select_from(AuditRow).where(AuditRow.seq.is_(None))
    return db.session.scalar(query) or 0
