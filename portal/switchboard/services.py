"""Turn switches, and ask how they stand."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.kit import clock
from portal.kit.db import changed_one, db, read, table_of, transactional
from portal.kit.errors import Conflict, Unavailable
from portal.switchboard.models import Switch, SwitchName

_KEPT = timedelta(seconds=5)


class SalesPaused(Unavailable):
    """No order is begun for the moment; `facts["zh"]` and `facts["en"]` say why, where staff paused the sale."""

    code = "sales_paused"


class ChangedByAnother(Conflict):
    """Somebody turned the switch since the page was opened."""

    code = "changed_by_another"


_switches = table_of(Switch).c
_PAUSES = sa.select(_switches.name, _switches.text_zh, _switches.text_en).where(
    sa.or_(_switches.name == SwitchName.SALES_PAUSE.value, _switches.name == SwitchName.HOLD.value),
    _switches.is_on.is_(True),
)


def check_sales_open() -> None:
    """Refuse to begin an order while sales are paused, by staff or by a hold.

    Raises:
        SalesPaused: they are.
    """
    for row in read(_PAUSES, {}):
        if row.name == SwitchName.HOLD:
            # Its texts are for the staff.
            raise SalesPaused
        raise SalesPaused(zh=row.text_zh, en=row.text_en)


def switches() -> dict[SwitchName, Switch]:
    """Return the switches that were ever turned, as they stand now."""
    rows = db.session.scalars(sa.select(Switch).execution_options(populate_existing=True))
    return {SwitchName(row.name): row for row in rows}


@transactional
def turn(name: SwitchName, is_on: bool, text_zh: str, text_en: str, seen_version: int, actor: str) -> None:
    """Turn a switch.

    Args:
        seen_version: the version on the page of whoever turns it, 0 when it was never turned.

    Raises:
        ChangedByAnother: it has another version now; nothing was changed.
        IntegrityError: two turned it for the first time at once (`transactional` looks again).
    """
    values = {"is_on": is_on, "text_zh": text_zh, "text_en": text_en, "changed_at": clock.now()}
    before = db.session.execute(
        sa.select(Switch.is_on, Switch.text_zh, Switch.text_en, Switch.version).where(
            Switch.name == name.value
        )
    ).first()
    if (before.version if before else 0) != seen_version:
        raise ChangedByAnother
    if before is None:
        db.session.execute(sa.insert(Switch).values(name=name.value, version=1, **values))
    else:
        turned = db.session.execute(
            sa.update(Switch)
            .where(Switch.name == name.value, Switch.version == seen_version)
            .values(version=seen_version + 1, **values)
            .execution_options(synchronize_session=False)
        )
        if not changed_one(turned):
            raise ChangedByAnother
    was = {"is_on": before.is_on, "zh": before.text_zh, "en": before.text_en} if before else None
    now = {"is_on": is_on, "zh": text_zh, "en": text_en}
    audit.record("switch.turned", f"switch:{name.value}", actor, before=was, after=now)


class Board:
    """The switches as pages show them, at most five seconds old. One per process; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at: datetime | None = None
        self._on: Mapping[str, Any] = {}

    def text(self, name: SwitchName, locale: str) -> str | None:
        """Return what a switch says in the language of `locale`; None while it is off."""
        found = self._current().get(name.value)
        return None if found is None else str(found.text_en if locale.startswith("en") else found.text_zh)

    def since(self, name: SwitchName) -> datetime | None:
        """Return since when a switch is on (UTC); None while it is off."""
        found = self._current().get(name.value)
        return None if found is None else found.changed_at

    def _current(self) -> Mapping[str, Any]:
        now = clock.now()
        with self._lock:
            if self._read_at is not None and timedelta(0) <= now - self._read_at < _KEPT:
                return self._on
            self._read_at = now
        # Read outside the lock: the others go on with what they have.
        rows = db.session.execute(
            sa.select(Switch.name, Switch.text_zh, Switch.text_en, Switch.changed_at).where(
                Switch.is_on.is_(True)
            )
        )
        self._on = {row.name: row for row in rows}
        return self._on

    def forget(self) -> None:
        """Read the switches again at the next use."""
        self._read_at = None
