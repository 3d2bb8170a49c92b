"""A random mix of faults for load: each request is struck by each kind with the same small probability.

The dice are a hash of seed, route, kind and the request's number on its route, so that the n-th request of a
route meets the same faults in every run with the same seed, whatever else goes on.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from typing import Any

from .faults import CHAOS_KINDS, NOTIFY_KINDS, Fault
from .store import Store

CALM: dict[str, Any] = {"rate": 0.0, "seed": 0, "kinds": [], "routes": [], "arguments": {}}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "delay": {"seconds": 0.2},
    "drip": {"seconds": 0.0005},
    "hang": {"seconds": 12},
    "duplicate": {"copies": 2},
}
"""What a kind does when nothing else is said: short enough for load."""


class Chaos:
    """The mix as it is set, and how often each kind struck since."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self.reload()

    def reload(self) -> None:
        """Read the mix from the store again, and count from the first request."""
        self._mix: dict[str, Any] = CALM | self._store.setting("chaos", {})
        self._seen: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()

    def set(self, mix: dict[str, Any]) -> None:
        """Set the mix, whose fields the caller has checked; counting begins anew."""
        self._store.set_setting("chaos", mix)
        self.reload()

    def told(self) -> dict[str, Any]:
        """The mix and the hits of each kind."""
        return self._mix | {"hits": dict(self._hits)}

    def strikes(self, route: str, kinds: tuple[str, ...] = CHAOS_KINDS) -> list[Fault]:
        """The faults that strike the next request of a route; `kinds` are those that make sense there."""
        mix = self._mix
        if not mix["rate"] or (mix["routes"] and route not in mix["routes"]):
            return []
        with self._lock:
            self._seen[route] += 1
            number = self._seen[route]
            struck = [kind for kind in mix["kinds"] if kind in kinds and self._falls(route, number, kind)]
            self._hits.update(struck)
        return [self._fault(route, kind) for kind in struck]

    def _falls(self, route: str, number: int, kind: str) -> bool:
        text = f"{self._mix['seed']}/{route}/{number}/{kind}".encode()
        die = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64
        return bool(die < self._mix["rate"])

    def _fault(self, route: str, kind: str) -> Fault:
        arguments = ARGUMENTS.get(kind, {}) | self._mix["arguments"].get(kind, {})
        return Fault(0, route, None, kind, arguments, None, 0)


ALL_KINDS = tuple(dict.fromkeys(CHAOS_KINDS + NOTIFY_KINDS))
"""What may be in a mix."""
