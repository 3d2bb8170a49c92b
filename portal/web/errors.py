"""Errors as the one who asked can read them: a page for people, problem+json for the API, JSON for gateways."""

import logging
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, g, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadHost, HTTPException, SecurityError

from portal.kit.db import db
from portal.kit.errors import PortalError, Unavailable
from portal.learners.sessions import SignedOut
from portal.web import problems
from portal.web.auth import ask_to_sign_in, forget_reader, is_asked_by_script

log = logging.getLogger(__name__)
_PAGES = frozenset({400, 403, 404, 413, 429, 500, 503})
_RETRY_SECONDS = 5


def _wants_json() -> bool:
    if request.blueprint in {"notify", "health"} or request.endpoint == "checkout.status":
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json" and "text/html" not in request.headers.get("Accept", "")


def answer(status: int, code: str, retry_after: int | None = None, **facts: Any) -> Response:
    """Return the error as a page, as a problem or as JSON."""
    request_id = g.get("request_id", "")
    if problems.are_wanted():
        response = problems.problem(status, code, facts)
    elif _wants_json():
        response = make_response({"code": code, "status": status, "request_id": request_id}, status)
    else:
        page = f"errors/{status}.html" if status in _PAGES else "errors/error.html"
        text = render_template(
            page, status=status, code=code, request_id=request_id, retry_after=retry_after, **facts
        )
        response = make_response(text, status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    response.headers["Cache-Control"] = "no-store"
    return response


def init_errors(app: Flask) -> None:
    """Turn what is raised into answers."""

    @app.errorhandler(PortalError)
    def expected(error: PortalError) -> Response:
        retry_after: int | None = getattr(error, "retry_after", None)
        if retry_after is None and isinstance(error, Unavailable):
            retry_after = _RETRY_SECONDS
        return answer(error.status, error.code, retry_after, detail=error.detail, **error.facts)

    @app.errorhandler(BadHost)
    @app.errorhandler(SecurityError)
    def other_host(_error: HTTPException) -> Response:
        # A page has addresses in it, and there are none for a host that is not ours.
        text = f"400: this portal is at {app.config['PORTAL_ORIGIN']} ({g.get('request_id', '')})\n"
        return Response(text, 400, {"Cache-Control": "no-store"}, content_type="text/plain; charset=utf-8")

    @app.errorhandler(SignedOut)
    def signed_out(error: SignedOut) -> ResponseReturnValue:
        forget_reader()
        return expected(error) if is_asked_by_script() else ask_to_sign_in()

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if error.code is None or error.code < 400:
            return error.get_response()  # type: ignore[return-value]
        response = answer(error.code, (error.name or "error").lower().replace(" ", "_"))
        for name, value in error.get_headers():
            if name in {"Allow", "Retry-After"}:
                response.headers[name] = value
        return response

    @app.errorhandler(sa.exc.DBAPIError)
    @app.errorhandler(sa.exc.TimeoutError)
    def database(error: Exception) -> Response:
        db.session.rollback()
        # The page must not ask the database who is reading it.
        forget_reader(is_nobody=True)
        log.error("database away", extra={"alert": True, "why": type(error).__name__}, exc_info=error)
        return answer(503, "unavailable", _RETRY_SECONDS)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("unexpected error", extra={"alert": True}, exc_info=error)
        return answer(500, "internal")
