"""Limits on how often something may happen, per merchant, in real time."""

from __future__ import annotations

import threading
import time
from collections import deque


class Rate:
    """So many in a second, and no more."""

    def __init__(self, most_a_second: int) -> None:
        self._most = most_a_second
        self._lock = threading.Lock()
        self._moments: dict[str, deque[float]] = {}

    def is_over(self, who: str) -> bool:
        """Count one more of `who`; whether that is too many."""
        now = time.monotonic()
        with self._lock:
            moments = self._moments.setdefault(who, deque())
            while moments and moments[0] <= now - 1:
                moments.popleft()
            moments.append(now)
            return len(moments) > self._most
