"""Before the portal: what is not proven to come from WeChat Pay gets no further.

Anybody can send forged notifications, as many as they like. Each shall cost what its checks cost, so it is refused
before the application is asked: no session, no context, no database, no outbound call.
"""

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

PATH = "/notify/wechat"
VERIFIED = "portal.notification"
"""Where the WSGI environment has the notification of a request that got through."""
_LARGEST = 64 * 1024


class _Refused(Exception):
    """What the sender is told, and nothing more."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Gate:
    """A WSGI application in front of another."""

    def __init__(self, app: Flask, gateway: Gateway) -> None:
        self._app = app
        self._inside: WSGIApplication = app.wsgi_app
        self._gateway = gateway

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a notification that is not genuine, and pass everything else on."""
        # The application's routes take several slashes at the beginning for one.
        path = "/" + environ.get("PATH_INFO", "").lstrip("/")
        if path == PATH and environ.get("REQUEST_METHOD") == "POST":
            request = Request(environ, populate_request=False)
            try:
                environ[VERIFIED] = self._verified(request)
            except _Refused as error:
                return _answer(error, request_id(request.headers.get("X-Request-ID", "")), start_response)
        return self._inside(environ, start_response)

    def _verified(self, request: Request) -> VerifiedNotification:
        request.max_content_length = _LARGEST
        try:
            body = request.get_data(cache=False)
            # Once a minute the platform's keys are read again.
            with self._app.app_context():
                return self._gateway.parse_notification(request.headers, body)
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


def _answer(error: _Refused, known_as: str, start_response: "StartResponse") -> Iterable[bytes]:
    body = json.dumps({"code": "FAIL", "message": error.message}).encode()
    start_response(
        f"{error.status.value} {error.status.phrase}",
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Request-ID", known_as),
            *EVERYWHERE,
        ],
    )
    return [body]
