"""One log line for a request, under an id that error pages and answers show too.

Paths are logged as their routes, never as they came: they may hold reset links or license texts.
"""

import logging
import re
import time
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from portal.kit import ids

log = logging.getLogger("portal.request")
_GIVEN_ID = re.compile(r"[0-9A-Za-z-]{8,64}", re.ASCII)
# Polls and probes come by the thousand; they are logged only when something is wrong.
_QUIET = frozenset(
    {
        "api_payments.session",
        "checkout.status",
        "health.healthz",
        "health.metrics",
        "health.readyz",
        "static",
        "notify.wechat",
        "provider.health",
    }
)


def context() -> dict[str, Any]:
    """Return what every log line of a request carries."""
    return {"request_id": g.request_id} if has_request_context() and "request_id" in g else {}


def request_id(given: str) -> str:
    """Return the id of a request: the one it was `given` if that looks like one, else a new one."""
    return given if _GIVEN_ID.fullmatch(given) else ids.new_request_id()


def init_request_log(app: Flask) -> None:
    """Give each request an id and log how it ended."""

    @app.before_request
    def begin() -> None:
        g.request_id = request_id(request.headers.get("X-Request-ID", ""))
        g.started = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        if request.endpoint not in _QUIET or response.status_code >= 500:
            log.info(
                "request",
                extra={
                    "method": request.method,
                    "route": str(request.url_rule) if request.url_rule else None,
                    "status": response.status_code,
                    "ms": round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000),
                },
            )
        return response
