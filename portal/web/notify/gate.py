"""Before the portal: what is not proven to come from WeChat Pay gets no further.

Anybody can send forged notifications, as many as they like. Each shall cost what its checks cost, so it is refused
before the application is asked: no session, no context, no outbound call, and the database once a minute at most.
"""

import functools
import json
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from portal.gateways.base import Gateway, NotificationRefused, NotificationSealed, VerifiedNotification
from portal.web.headers import EVERYWHERE
from portal.web.notify.refusals import refusals
from portal.web.request_log import request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

_NAME = "notify/wechat"
PATH = f"/{_NAME}"
VERIFIED = "portal.notification"
"""Where the WSGI environment has the notification of a request that got through."""
_LARGEST = 64 * 1024
_HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), *EVERYWHERE)


class _Refused(Exception):
    """What the sender is told, and nothing more."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _Headers:
    """A request's headers as the server gives them."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self._environ = environ

    def get(self, name: str, default: str) -> str:
        """Return a header's value."""
        value: str = self._environ.get(f"HTTP_{name.upper().replace('-', '_')}", default)
        return value


class Gate:
    """A WSGI application in front of another."""

    def __init__(self, app: Flask, gateway: Gateway) -> None:
        self._inside: WSGIApplication = app.wsgi_app
        self._gateway = gateway
        gateway.parse_within(app.app_context)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a notification that is not genuine, and pass everything else on."""
        # The application's routes take several slashes at the beginning for one.
        if environ.get("PATH_INFO", "").lstrip("/") == _NAME and environ.get("REQUEST_METHOD") == "POST":
            headers = _Headers(environ)
            try:
                environ[VERIFIED] = self._verified(headers, environ)
            except _Refused as error:
                return _answer(error, request_id(headers.get("X-Request-ID", "")), start_response)
        return self._inside(environ, start_response)

    def _verified(self, headers: _Headers, environ: "WSGIEnvironment") -> VerifiedNotification:
        try:
            return self._gateway.parse_notification(headers, _body(environ))
        except RequestEntityTooLarge:
            refusals.count("too_large")
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large") from None
        except NotificationRefused as error:
            refusals.count(error.reason)
            raise _Refused(HTTPStatus.UNAUTHORIZED, "not verified") from None
        except NotificationSealed:
            # The key was changed at WeChat first: it is sent again for 24 hours, time to add ours.
            log.error(
                "notification cannot be decrypted", extra={"alert": True, "gateway": self._gateway.name}
            )
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "try again later") from None


def _body(environ: "WSGIEnvironment") -> bytes:
    """Read what was sent at once, when its length is told.

    Raises:
        RequestEntityTooLarge: it is longer than a notification may be.
    """
    length = environ.get("CONTENT_LENGTH", "")
    if length.isdecimal() and length.isascii() and len(length) < 6 and int(length) <= _LARGEST:
        body: bytes = environ["wsgi.input"].read(int(length))
        return body
    request = Request(environ, populate_request=False)
    request.max_content_length = _LARGEST
    return request.get_data(cache=False)


def _answer(error: _Refused, known_as: str, start_response: "StartResponse") -> Iterable[bytes]:
    status, body = _line_and_body(error.status, error.message)
    start_response(status, [*_HEADERS, ("Content-Length", str(len(body))), ("X-Request-ID", known_as)])
    return [body]


@functools.cache
def _line_and_body(status: HTTPStatus, message: str) -> tuple[str, bytes]:
    return f"{status.value} {status.phrase}", json.dumps({"code": "FAIL", "message": message}).encode()
