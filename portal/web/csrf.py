"""Forms that change something are ours: a token of the browser's session, and a request from our origin."""

import functools
from urllib.parse import urlsplit

from flask import Flask, current_app, request, session
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf

from portal.config import Settings
from portal.kit.errors import PortalError

_DEFAULT_PORTS = {"http": 80, "https": 443}


class CsrfFailed(PortalError):
    """A form that does not come from a page of ours."""

    status = 403
    code = "csrf_failed"


class FormExpired(CsrfFailed):
    """No token, or that of another session: the page is old, or was signed out meanwhile."""


class ForeignForm(CsrfFailed):
    """The browser says that another site sent it."""


class _Csrf(CSRFProtect):
    """Flask-WTF's tokens, and where the browser says the request comes from."""

    def protect(self, apply_exemptions: bool = False) -> None:
        if request.method not in current_app.config["WTF_CSRF_METHODS"]:
            return
        if apply_exemptions and (not request.endpoint or self._is_exempt()):
            return
        _check_origin()
        super().protect()

    def _error_response(self, reason: str) -> None:
        raise FormExpired(reason)


csrf = _Csrf()
"""`csrf.exempt(blueprint)` is for doors whose callers prove themselves otherwise (signatures, tokens)."""


# One signature of a session's token is as good as the next: it lives as long as the session.
_MOST_REMEMBERED = 4096


def form_token() -> str:
    """Return the token for the forms of this browser's session, signed once and not with each page."""
    raw = session.get("csrf_token")
    if raw is None:
        return generate_csrf()
    return _signed(raw, tuple(current_app.config["WTF_CSRF_SECRET_KEY"]))


@functools.lru_cache(maxsize=_MOST_REMEMBERED)
def _signed(_raw: str, _keys: tuple[str, ...]) -> str:
    return generate_csrf()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _check_origin() -> None:
    """Raise `ForeignForm` when the browser names another site; a client that names none has the token to show."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise ForeignForm("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if origin is None:
        return
    try:
        # The address bar may say `localhost` where the settings say 127.0.0.1; no other site can choose our Host.
        is_ours = _origin(origin) in (_origin(current_app.config["PORTAL_ORIGIN"]), _origin(request.host_url))
    except ValueError:
        is_ours = False
    if not is_ours:
        raise ForeignForm("Origin")


def init_csrf(app: Flask, settings: Settings) -> None:
    """Check every unsafe request of every door that is not exempt.

    A token lives as long as its session. It is signed with the newest key, and older ones still read it.
    """
    app.config.update(
        PORTAL_ORIGIN=settings.PORTAL_BASE_URL,
        WTF_CSRF_TIME_LIMIT=None,
        # The referring page is not sent by every browser; `_check_origin` looks at what is.
        WTF_CSRF_SSL_STRICT=False,
        WTF_CSRF_SECRET_KEY=[
            *reversed(settings.secret_key_fallbacks),
            settings.SECRET_KEY.get_secret_value(),
        ],
    )
    csrf.init_app(app)
    # Instead of Flask-WTF's, where it puts its own.
    app.add_template_global(form_token, "csrf_token")
    app.context_processor(lambda: {"csrf_token": form_token})
