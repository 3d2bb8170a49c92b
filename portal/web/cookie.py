"""The browser's cookie: Flask's own, signed by a signer that is made once and not twice a request."""

from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSessionInterface


class SignedCookies(SecureCookieSessionInterface):
    """Flask's sessions in a cookie, for one application with its keys."""

    _signer: Any = None

    def get_signing_serializer(self, app: Flask) -> Any:
        """Return what signs the cookie with the newest key and reads it with any."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer
