"""Count refused notifications, and log the counts now and then: a flood of forgeries must cost next to nothing."""

import logging
import threading
from collections import Counter
from datetime import datetime, timedelta

from portal.kit import clock

log = logging.getLogger(__name__)
_EVERY = timedelta(seconds=10)


class Refusals:
    """Counts by reason. One per process; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._logged_at: datetime | None = None

    def count(self, reason: str) -> None:
        """Count one; at most every ten seconds all of them are logged in one line."""
        now = clock.now()
        with self._lock:
            self._counts[reason] += 1
            if self._logged_at is not None and timedelta(0) <= now - self._logged_at < _EVERY:
                return
            counts, self._counts, self._logged_at = self._counts, Counter(), now
        log.warning("notifications refused", extra={"security": True, "counts": dict(counts)})


refusals = Refusals()
