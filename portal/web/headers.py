"""Security headers on every answer, errors and static files included."""

from flask import Flask, Response, request

from portal.config import Settings
from portal.web.auth import reader

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
    "report-uri /csp"
)
EVERYWHERE = (
    ("Content-Security-Policy", _CSP),
    ("X-Content-Type-Options", "nosniff"),
    # `no-referrer` and `same-origin` would empty the Referer that WeChat's H5 pages ask for.
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""What every answer carries."""
_PRIVATE = frozenset({"account", "admin", "checkout", "sign_in"})


def init_headers(app: Flask, settings: Settings) -> None:
    """Add the headers; `Strict-Transport-Security` only where the origin is https."""

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.extend(EVERYWHERE)
        if settings.is_https:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if request.endpoint != "static" and "Cache-Control" not in response.headers:
            is_private = request.blueprint in _PRIVATE or reader() is not None
            response.headers["Cache-Control"] = "no-store" if is_private else "private, no-cache"
        return response
