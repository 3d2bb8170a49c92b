"""By which names the portal may be asked: an answer to another's name could be kept or shown as another's."""

import functools
import ipaddress
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ASKED_BY_ADDRESS = frozenset({"/healthz", "/readyz", "/health", "/metrics"})
"""Probes know the address of a process, not its name."""


@functools.lru_cache(maxsize=256)
def is_own(host: str, origin: str) -> bool:
    """Tell whether `host` (of a request, with or without a port) is a name of the portal at `origin`.

    A portal at a loopback address is somebody's own: it has all names of that, and the machine's addresses.
    """
    name, own = _name_of(f"//{host}"), _name_of(origin)
    if name == own or own not in _LOOPBACK:
        return name == own
    return name in _LOOPBACK or _is_address(name)


def _name_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
