"""The Flask application of the portal: how it makes templates and addresses."""

import re
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Request, has_request_context, request
from werkzeug.exceptions import SecurityError
from werkzeug.routing import MapAdapter

from portal.web.hosts import ASKED_BY_ADDRESS, is_own
from portal.web.templates import Environment

# Ids and numbers of ours: they stand in an address as they are, nothing in them to be escaped.
_PLAIN = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_STAND_IN = "stand-in-for-a-value"
_LOOK_EVERY_SECONDS = 1.0


class Application(Flask):
    """A Flask application whose addresses are remembered: a page has dozens, and building each costs 10 µs."""

    jinja_environment = Environment

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._addresses: dict[tuple[str, ...], tuple[str, str]] = {}
        self._static: dict[tuple[str, str], tuple[str, float]] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a view or a hook as it is: none of ours is a coroutine, and Flask asks a dozen times a request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the page of a request, as Flask does.

        Raises:
            BadHost: it is asked of a host whose name cannot be one.
            SecurityError: that host is not this portal.
        """
        router = super().create_url_adapter(request)
        if request is None or request.path in ASKED_BY_ADDRESS:
            return router
        if not is_own(request.host, self.config["PORTAL_ORIGIN"]):
            raise SecurityError
        return router

    def url_for(
        self,
        /,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: Any,
    ) -> str:
        """Return the address of a page, as Flask does.

        Of an endpoint with one plain value, or none, only the first address is built; the others differ in that value.
        """
        is_plain = _anchor is None and _method is None and _scheme is None and _external is None
        if not is_plain or len(values) > 1 or not has_request_context():
            return super().url_for(
                endpoint, _anchor=_anchor, _method=_method, _scheme=_scheme, _external=_external, **values
            )
        if endpoint == "static":
            return self._static_address(values["filename"])
        name, value = next(iter(values.items()), ("", ""))
        if name and (not isinstance(value, str) or not _PLAIN.fullmatch(value)):
            return super().url_for(endpoint, **values)
        if endpoint.startswith("."):
            endpoint = f"{request.blueprint}{endpoint}" if request.blueprint else endpoint[1:]
        known = self._addresses.get((request.root_path, endpoint, name))
        if known is None:
            stand_in: dict[str, Any] = {name: _STAND_IN} if name else {}
            built = super().url_for(endpoint, **stand_in)
            before, _, after = built.partition(_STAND_IN)
            known = self._addresses[request.root_path, endpoint, name] = (before, after)
        return f"{known[0]}{value}{known[1]}"

    def _static_address(self, filename: str) -> str:
        """Return the address of a static file, with a hash of its content; a change is seen within a second."""
        now = time.monotonic()
        address, built_at = self._static.get((request.root_path, filename), ("", -_LOOK_EVERY_SECONDS))
        if now - built_at >= _LOOK_EVERY_SECONDS:
            address = super().url_for("static", filename=filename)
            self._static[request.root_path, filename] = (address, now)
        return address
