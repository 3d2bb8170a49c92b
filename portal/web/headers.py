"""Security headers on every answer, errors and static files included."""

from flask import Flask, Response, request
from flask_login import current_user

from portal.config import Settings

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
    "report-uri /csp"
)
_ALWAYS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    # `no-referrer` and `same-origin` would empty the Referer that WeChat's H5 pages ask for.
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def init_headers(app: Flask, settings: Settings) -> None:
    """Add the headers; `Strict-Transport-Security` only where the origin is https."""

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        if settings.is_https:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if request.endpoint != "static" and "Cache-Control" not in response.headers:
            is_private = (
                request.blueprint in {"account", "admin", "checkout", "sign_in"}
                or current_user.is_authenticated
            )
            response.headers["Cache-Control"] = "no-store" if is_private else "private, no-cache"
        return response
