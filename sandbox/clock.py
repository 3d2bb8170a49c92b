"""The one clock of the sandbox: real time plus an offset that tests may move.

Moments are Unix seconds (UTC, float). WeChat Pay writes times as RFC 3339 in Beijing time.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone

from .store import Store

BEIJING = timezone(timedelta(hours=8))
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", re.ASCII)


class Clock:
    """Real time plus an offset kept in the store, so that a restart does not jump back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset = float(store.setting("clock_offset", 0.0))

    @property
    def offset(self) -> float:
        """Seconds ahead of real time; negative when behind."""
        return self._offset

    def now(self) -> float:
        """The moment it is in the sandbox, in Unix seconds."""
        return time.time() + self._offset

    def set_offset(self, seconds: float) -> None:
        """Move the clock to real time plus `seconds`."""
        self._store.set_setting("clock_offset", seconds)
        self._offset = seconds


def rfc3339(moment: float) -> str:
    """Write a moment as WeChat Pay does: whole seconds, Beijing offset."""
    return datetime.fromtimestamp(int(moment), BEIJING).isoformat()


def parse_rfc3339(text: str) -> float | None:
    """Read `yyyy-MM-DDTHH:mm:ss+TIMEZONE`; None when it is anything else.

    Seconds and offset are both required: pay.weixin.qq.com/doc/v3/merchant/4012791877, `time_expire`.
    """
    if not _RFC3339.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
