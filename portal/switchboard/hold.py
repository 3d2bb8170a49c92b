"""The hold after a restored backup (F44): the portal learns what became of the money, and does nothing of its own.

While it stands, no order is begun or closed, no refund asked for, approved or sent, no mail sent. Payments and refunds that
are told of or asked about settle, and licenses are made. When it is released, what is due is done, once.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from portal.kit.db import db, table_of, transactional
from portal.kit.errors import Unavailable
from portal.switchboard.models import Switch, SwitchName
from portal.switchboard.services import turn

LONGEST_REASON = 300
_switches = table_of(Switch).c


class OnHold(Unavailable):
    """Not while the portal is on hold; nothing was changed."""

    code = "on_hold"


@dataclass(frozen=True)
class Hold:
    """A hold that stands: since when (UTC), and why."""

    since: datetime
    reason: str


def not_on_hold() -> sa.ColumnElement[bool]:
    """Return the condition for a compare-and-set that must not happen on hold."""
    return ~sa.exists().where(_switches.name == SwitchName.HOLD.value, _switches.is_on.is_(True))


def is_on_hold() -> bool:
    """Tell whether the portal is on hold."""
    return not db.session.scalar(sa.select(not_on_hold()))


def check_not_on_hold() -> None:
    """Refuse what must wait until a hold is released.

    Raises:
        OnHold: one stands.
    """
    if is_on_hold():
        raise OnHold


def standing_hold() -> Hold | None:
    """Return the hold that stands, or None."""
    switch = _switch()
    return Hold(switch.changed_at, switch.text_en) if switch is not None and switch.is_on else None


@transactional
def begin_hold(reason: str, actor: str) -> bool:
    """Begin a hold; return False when one stood already, which keeps its time and reason.

    Args:
        reason: for the staff, at most 300 characters.
    """
    return _turn(True, reason, actor)


@transactional
def end_hold(actor: str) -> bool:
    """Release the hold; return False when none stood."""
    switch = _switch()
    return _turn(False, switch.text_en if switch is not None else "", actor)


def _turn(is_on: bool, reason: str, actor: str) -> bool:
    switch = _switch()
    if (switch is not None and switch.is_on) == is_on:
        return False
    # One column for each language, and one operator.
    turn(SwitchName.HOLD, is_on, reason, reason, switch.version if switch is not None else 0, actor)
    return True


def _switch() -> Switch | None:
    return db.session.get(Switch, SwitchName.HOLD.value, populate_existing=True)
