"""How often one address of the network may knock: a shared limiter for all doors.

Behind proxies the address is what `TRUSTED_PROXIES` of them say; a header sent by the client itself
counts for nothing. When the store of the counts is away, each process counts for itself.
"""

import ipaddress
import math
import time
from typing import Any

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded
from limits.storage import MemoryStorage

from portal.config import Settings
from portal.kit.errors import TooMany

_LONGEST_WAIT = 3600
_FORGET_SECONDS = 5.0


def client_network() -> str:
    """Return whose count it is: the IPv4 address, or the /64 of an IPv6 address, which is one household."""
    address = request.remote_addr or "unknown"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class _Counts(MemoryStorage):
    """Counts in this process. Its parent starts a thread to forget old ones with nearly every request."""

    STORAGE_SCHEME = ["memory"]
    _looked_at = 0.0

    def _MemoryStorage__schedule_expiry(self) -> None:
        now = time.monotonic()
        if now - self._looked_at >= _FORGET_SECONDS:
            self._looked_at = now
            super()._MemoryStorage__schedule_expiry()  # type: ignore[misc]


class _Limiter(Limiter):
    """Limits stand at their routes, and are looked at once there; there are none for all routes."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        if not in_middleware:
            super()._check_request_limit(callable_name, in_middleware)


limiter = _Limiter(client_network, strategy="moving-window", in_memory_fallback_enabled=True)


def was_understood(response: Response) -> bool:
    """Tell whether a form was more than mistyped: only then a tight limit counts it."""
    return response.status_code != 422


def was_mistyped(response: Response) -> bool:
    """Tell whether what was typed is wrong: guesses are counted, the rest is not."""
    return response.status_code == 422


def init_limits(app: Flask, settings: Settings) -> None:
    """Count in the store that the settings name, and answer a breach as `TooMany`."""
    app.config["RATELIMIT_STORAGE_URI"] = settings.RATELIMIT_STORAGE_URI
    if settings.RATELIMIT_STORAGE_URI.startswith("redis"):
        app.config["RATELIMIT_STORAGE_OPTIONS"] = {"socket_connect_timeout": 1, "socket_timeout": 1}
    limiter.init_app(app)

    def refuse(_breach: RateLimitExceeded) -> Any:
        # The limiter takes an exception of its callback for a dead store, hence the second hand.
        current = limiter.current_limit
        wait = math.ceil(current.reset_at - time.time()) if current else _LONGEST_WAIT
        return app.handle_user_exception(TooMany(min(max(wait, 1), _LONGEST_WAIT)))

    app.register_error_handler(RateLimitExceeded, refuse)
