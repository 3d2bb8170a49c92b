"""The browser's cookie: Flask's own, whose signature is checked once and not with each request of a browser."""

import copy
import functools
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature

# Of each half a kilobyte. Only cookies with a good signature are remembered, so nobody can fill it with others.
_MOST_REMEMBERED = 4096


class SignedCookies(SecureCookieSessionInterface):
    """Flask's sessions in a cookie, for one application with its keys.

    Whether a session still counts is for the database to say, each time; here it is only read.
    """

    def __init__(self) -> None:
        self._signer: Any = None
        self._timer: Any = None
        self._remembered = functools.lru_cache(maxsize=_MOST_REMEMBERED)(self._verified)

    def get_signing_serializer(self, app: Flask) -> Any:
        """Return what signs the cookie with the newest key and reads it with any."""
        if self._signer is None:
            signer: Any = super().get_signing_serializer(app)
            self._timer = signer.make_signer()
            # Last: another thread that finds it set uses the rest.
            self._signer = signer
        return self._signer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession:
        """Return what is in the cookie; nothing when it is not ours, or older than a session can be."""
        self.get_signing_serializer(app)
        text = request.cookies.get(self.get_cookie_name(app))
        if not text:
            return self.session_class()
        try:
            found, signed_at = self._remembered(text)
        except BadSignature:
            return self.session_class()
        # By the clock that it was signed with.
        if self._timer.get_timestamp() - signed_at > app.permanent_session_lifetime.total_seconds():
            return self.session_class()
        # Messages for the next page are a list, to which a view may add.
        return self.session_class(copy.deepcopy(found))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the cookie where it was changed."""
        if session.modified:
            super().save_session(app, session, response)
        elif session.accessed:
            response.vary.add("Cookie")

    def _verified(self, text: str) -> tuple[dict[str, Any], float]:
        found, signed_at = self._signer.loads(text, return_timestamp=True)
        return found, signed_at.timestamp()
