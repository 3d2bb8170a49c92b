"""How often one address of the network may knock: limits at the routes, for all doors.

Behind proxies the address is what `TRUSTED_PROXIES` of them say; a header sent by the client itself
counts for nothing. Counts of a moving window, so that no moment is better than another to begin. When the
shared store of the counts is away, each process counts for itself.
"""

import functools
import ipaddress
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from flask import Response, after_this_request, request
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from portal.config import Settings
from portal.kit.errors import TooMany

log = logging.getLogger(__name__)

View = Callable[..., Any]
_LONGEST_WAIT = 3600
_FORGET_SECONDS = 60.0
# Of each a kilobyte; whoever brings more addresses than that pushes out the oldest.
_MOST_KEYS = 100_000
_STORE_PAUSE_SECONDS = 5.0


def client_network() -> str:
    """Return whose count it is: the IPv4 address, or the /64 of an IPv6 address, which is one household."""
    return _network_of(request.remote_addr or "unknown")


@functools.lru_cache(maxsize=4096)
def _network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class OwnCounts:
    """Counts in this process: of each key the moments at which it was counted. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moments: dict[str, deque[float]] = {}
        self._windows: dict[str, float] = {}
        self._forget_at = 0.0

    def wait(self, limit: RateLimitItem, key: str, *, counts: bool) -> float:
        """Return 0 when there is room for one more, which is counted if `counts`; else the seconds until there is."""
        now, window = time.monotonic(), float(limit.get_expiry())
        with self._lock:
            if now >= self._forget_at:
                self._forget(now)
            moments = self._moments.get(key)
            if moments is None:
                if len(self._moments) >= _MOST_KEYS:
                    oldest = next(iter(self._moments))
                    del self._moments[oldest], self._windows[oldest]
                moments = self._moments[key] = deque()
                self._windows[key] = window
            while moments and moments[0] <= now - window:
                moments.popleft()
            if len(moments) >= limit.amount:
                return moments[0] + window - now
            if counts:
                moments.append(now)
            return 0.0

    def _forget(self, now: float) -> None:
        self._forget_at = now + _FORGET_SECONDS
        for key, moments in list(self._moments.items()):
            if not moments or moments[-1] <= now - self._windows[key]:
                del self._moments[key], self._windows[key]

    def reset(self) -> None:
        """Forget all counts."""
        with self._lock:
            self._moments.clear()
            self._windows.clear()


class SharedCounts:
    """Counts in a store that all processes share; in this process while the store is away."""

    def __init__(self, uri: str) -> None:
        store = storage_from_string(uri, wrap_exceptions=True, socket_connect_timeout=1, socket_timeout=1)
        self._store = MovingWindowRateLimiter(store)
        self._own = OwnCounts()
        self._away_until = 0.0

    def wait(self, limit: RateLimitItem, key: str, *, counts: bool) -> float:
        """Return what `OwnCounts.wait` does."""
        if time.monotonic() >= self._away_until:
            try:
                return self._ask(limit, key, counts=counts)
            except StorageError as error:
                self._away_until = time.monotonic() + _STORE_PAUSE_SECONDS
                log.error("store of limits away", extra={"alert": True, "why": type(error).__name__})
        return self._own.wait(limit, key, counts=counts)

    def _ask(self, limit: RateLimitItem, key: str, *, counts: bool) -> float:
        is_free = self._store.hit(limit, key) if counts else self._store.test(limit, key)
        if is_free:
            return 0.0
        # The oldest may leave the window between the two questions: refused is refused all the same.
        return max(self._store.get_window_stats(limit, key).reset_time - time.time(), 0.001)

    def reset(self) -> None:
        """Forget the counts of this process; those of the store are not ours alone."""
        self._own.reset()


class Limiter:
    """The limits of all doors of a process. `enabled` is for tests."""

    def __init__(self) -> None:
        self.enabled = True
        self.counts: OwnCounts | SharedCounts = OwnCounts()

    def limit(
        self,
        text: str,
        key_func: Callable[[], str] = client_network,
        *,
        methods: Collection[str] | None = None,
        deduct_when: Callable[[Response], bool] | None = None,
        exempt_when: Callable[[], bool] | None = None,
    ) -> Callable[[View], View]:
        """Open a view only so often: `"10/minute;60/hour"`, each view and key for itself.

        Args:
            text: the limits, as the library `limits` writes them.
            key_func: whose count it is.
            methods: HTTP methods that count; all when left out.
            deduct_when: looks at the answer and tells whether it counts; every request does when left out.
            exempt_when: tells that a request is not looked at.

        Raises:
            TooMany: there is no room for this request (raised by the view).
        """
        limits = [(limit, str(limit)) for limit in parse_many(text)]

        def decorate(view: View) -> View:
            name = f"{view.__module__}.{view.__qualname__}"

            @functools.wraps(view)
            def limited(*args: Any, **kwargs: Any) -> Any:
                is_meant = self.enabled and (methods is None or request.method in methods)
                if is_meant and not (exempt_when is not None and exempt_when()):
                    owner = key_func()
                    keys = [(limit, f"{name} {words} {owner}") for limit, words in limits]
                    self._check(keys, counts=deduct_when is None)
                    if deduct_when is not None:
                        self._count_afterwards(keys, deduct_when)
                return view(*args, **kwargs)

            return limited

        return decorate

    def _check(self, keys: list[tuple[RateLimitItem, str]], *, counts: bool) -> None:
        for limit, key in keys:
            seconds = self.counts.wait(limit, key, counts=counts)
            if seconds > 0:
                raise TooMany(min(max(math.ceil(seconds), 1), _LONGEST_WAIT))

    def _count_afterwards(
        self, keys: list[tuple[RateLimitItem, str]], deduct_when: Callable[[Response], bool]
    ) -> None:
        @after_this_request
        def count(response: Response) -> Response:
            if deduct_when(response):
                for limit, key in keys:
                    self.counts.wait(limit, key, counts=True)
            return response

    def reset(self) -> None:
        """Forget what was counted in this process."""
        self.counts.reset()


limiter = Limiter()


def was_understood(response: Response) -> bool:
    """Tell whether a form was more than mistyped: only then a tight limit counts it."""
    return response.status_code != 422


def was_mistyped(response: Response) -> bool:
    """Tell whether what was typed is wrong: guesses are counted, the rest is not."""
    return response.status_code == 422


def init_limits(settings: Settings) -> None:
    """Count in the store that the settings name."""
    uri = settings.RATELIMIT_STORAGE_URI
    limiter.counts = OwnCounts() if uri.startswith("memory:") else SharedCounts(uri)
