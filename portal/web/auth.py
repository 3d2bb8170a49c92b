"""Who is asking: the learner signed in at this browser, the cookie, and where to go after signing in."""

import functools
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from flask import Flask, current_app, g, has_request_context, redirect, request, session, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect, RoutingException

from portal.audit import services as audit
from portal.config import Settings
from portal.kit.errors import NotFound, PortalError
from portal.learners import sessions
from portal.learners.models import STAFF, Learner, LoginSession
from portal.learners.queries import learner_by_id
from portal.learners.sessions import Person, Reader
from portal.web.cookie import SignedCookies

__all__ = [
    "STAFF",
    "Unauthenticated",
    "ask_to_sign_in",
    "current_learner",
    "current_session",
    "forget_reader",
    "init_auth",
    "is_asked_by_script",
    "login_required",
    "page_before",
    "reader",
    "renew_session",
    "required_learner",
    "required_reader",
    "required_session",
    "safe_next",
    "sign_in",
    "sign_out",
]

DEFAULT_PAGE = "/account"
_LONGEST_NEXT = 1024
# In the browser's cookie: the session's secret, never the learner's id.
_IN_COOKIE = "secret"


class Unauthenticated(PortalError):
    """Nobody is signed in, and a script asks: a page would be sent to the sign-in instead."""

    status = 401
    code = "unauthenticated"


def reader() -> Reader | None:
    """Return who is signed in at this browser; None: nobody. One statement per request.

    After a database that could not say, nobody: the error page asks again, and must show without one.
    """
    if "reader" not in g:
        g.reader = None
        secret = session.get(_IN_COOKIE)
        if secret is not None:
            g.reader = sessions.session_of(secret)
    found: Reader | None = g.reader
    return found


def forget_reader(*, is_nobody: bool = False) -> None:
    """Ask again who is signed in when it is needed next; with `is_nobody`, take it that nobody is."""
    for name in ("reader", "learner", "login_session"):
        g.pop(name, None)
    if is_nobody:
        g.reader = None


def required_reader() -> Reader:
    """Return who is signed in, for a view behind `login_required`.

    Raises:
        Unauthenticated: when nobody is.
    """
    found = reader()
    if found is None:
        raise Unauthenticated
    return found


def login_required(view: Callable[..., Any]) -> Callable[..., Any]:
    """Open a view to whoever is signed in, and send everybody else to the sign-in."""

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return ask_to_sign_in() if reader() is None else view(*args, **kwargs)

    return guarded


def current_learner() -> Learner | None:
    """Return the whole account of whoever is signed in, or None. One more statement, once per request."""
    found = reader()
    if found is not None and "learner" not in g:
        g.learner = learner_by_id(found.id)
    return g.learner if found is not None else None


def required_learner() -> Learner:
    """Return the whole account of whoever is signed in, for a view behind `login_required`.

    Raises:
        Unauthenticated: when there is none.
    """
    learner = current_learner()
    if learner is None:
        raise Unauthenticated
    return learner


def current_session() -> LoginSession | None:
    """Return the row of this browser's session, or None. One more statement, once per request."""
    found = reader()
    if found is not None and "login_session" not in g:
        g.login_session = sessions.login_session_by_id(found.session_id)
    return g.login_session if found is not None else None


def required_session() -> LoginSession:
    """Return the row of this browser's session, for a view behind `login_required`.

    Raises:
        Unauthenticated: when there is none.
    """
    found = current_session()
    if found is None:
        raise Unauthenticated
    return found


def sign_in(learner: Learner) -> None:
    """Begin a new session for the learner, whose password was right; nothing of the one before is left in the cookie.

    So a session fixed beforehand by somebody else is worth nothing, and the CSRF token is new.

    Raises:
        SignedOut: the account was changed while the password was looked at.
    """
    _end_current()
    _begin(learner)


def renew_session(second_factor_at: datetime) -> None:
    """Begin a new session in the place of this browser's, in which the second factor was just shown.

    Raises:
        SignedOut: the one before was ended meanwhile.
    """
    _begin(required_reader(), second_factor_at)


def _begin(person: Person, second_factor_at: datetime | None = None) -> None:
    session.clear()
    session.permanent = True
    try:
        session[_IN_COOKIE] = sessions.start_session(
            person, request.user_agent.string, request.remote_addr or "", second_factor_at
        )
    finally:
        forget_reader()


def sign_out() -> None:
    """End the session of this browser, here and in the database."""
    _end_current()
    session.clear()
    forget_reader()


def _end_current() -> None:
    ending = reader()
    if ending is not None:
        with suppress(NotFound):  # ended meanwhile from another browser
            sessions.end_session(ending, ending.session_public_id)


def safe_next(text: str | None, default: str = DEFAULT_PAGE) -> str:
    """Return where to go after signing in: `text` if it is a page of ours, else `default`.

    The path is not judged by its looks: it must be one that our own router knows, and what is returned is
    the address that the router itself makes of it.
    """
    return _own_page(text) or default


def _own_page(text: str | None) -> str | None:
    if not text or len(text) > _LONGEST_NEXT or not text.startswith("/") or text.startswith("//"):
        return None
    if "\\" in text or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
        router = current_app.create_url_adapter(request)
        assert router is not None
        endpoint, values = router.match(unquote(parts.path), method="GET")
        query = urlencode(parse_qsl(parts.query, max_num_fields=20))
    except (ValueError, HTTPException, RequestRedirect, RoutingException):
        return None
    if parts.netloc or endpoint == "static":
        return None
    page = url_for(endpoint, **values)
    return f"{page}?{query}" if query else page


def page_before() -> str:
    """Return the page that a refused request was about; for a form, the page the form belongs to.

    `POST /courses/cpp/buy` belongs to `/courses/cpp`: the nearest address above that is a page.
    """
    if request.method in {"GET", "HEAD"}:
        return safe_next(request.full_path.rstrip("?"))
    path = request.path
    while "/" in path.strip("/"):
        path = path.rpartition("/")[0]
        if page := _own_page(path):
            return page
    return DEFAULT_PAGE


def is_asked_by_script() -> bool:
    """Tell whether a script asks, which no page to sign in would help."""
    wants_data = request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
    return wants_data or request.headers.get("Sec-Fetch-Dest") == "empty"


def ask_to_sign_in() -> Any:
    """Send whoever asks to the sign-in, and back afterwards.

    Raises:
        Unauthenticated: when a script asks.
    """
    if is_asked_by_script():
        raise Unauthenticated
    return redirect(url_for("sign_in.login", next=page_before()), 303)


def _origin() -> audit.Origin:
    """Return where the request being answered comes from; nobody is looked up for it."""
    if not has_request_context():
        return None, None
    known: Reader | None = g.get("reader")
    session_id = known.session_public_id if known is not None else None
    address = request.remote_addr or ""
    return address[:45] if address.isascii() and address else None, session_id


def init_auth(app: Flask, settings: Settings) -> None:
    """Give the app its one cookie and its way to know who is asking.

    Flask signs the cookie; what counts in it is a secret whose hash is in the database, so that a session
    can be listed and ended from elsewhere.
    """
    app.config.update(
        SESSION_COOKIE_NAME="__Host-sid" if settings.is_https else "sid",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=sessions.LEARNER_LIFETIME,
    )
    app.session_interface = SignedCookies()
    app.add_template_global(reader)
    audit.read_origin_by(_origin)
