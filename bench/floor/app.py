"""`gunicorn bench.floor.app:app`: the paths, without a framework."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from bench.floor import money, pages

_JSON, _HTML = "application/json", "text/html; charset=utf-8"
# The answer is to be as long as the portal's.
_HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cache-Control", "no-store"),
]


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request."""
    status, kind, body, headers = _answer(environ, environ["PATH_INFO"])
    own = [("Content-Type", kind), ("Content-Length", str(len(body)))] if body else []
    start_response(status, [*own, *headers, *_HEADERS])
    return [body]


def _answer(environ: dict[str, Any], path: str) -> tuple[str, str, bytes, list[tuple[str, str]]]:
    if path == "/notify/wechat":
        status, body = money.notify(environ)
        return status, _JSON, body, []
    if path.endswith("/status"):
        status, body, etag = pages.poll(environ, path.split("/")[2])
        return status, _JSON, body, [("ETag", etag)]
    if path == "/courses":
        return "200 OK", _HTML, pages.catalogue(environ), []
    if path == "/account/orders":
        return "200 OK", _HTML, pages.orders(environ), []
    if path.endswith("/buy"):
        length = int(environ["CONTENT_LENGTH"])
        assert parse_qs(environ["wsgi.input"].read(length))[b"csrf_token"]
        buyer = pages.learner(environ)
        order_id = money.buy(buyer[0], buyer[1], path.split("/")[2])
        return "303 See Other", _HTML, b"", [("Location", f"/checkout/{order_id}"), ("Content-Length", "0")]
    return "200 OK", _JSON, b"{}", []
