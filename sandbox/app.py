"""create_app: binds the world, the API, the control API and the phone into one Flask application."""

from __future__ import annotations

from flask import Flask, Response, jsonify, redirect, request
from werkzeug.exceptions import HTTPException

from . import bill_calls, certificates, complaint_calls, faults_page, phone, refund_calls, transactions
from .control import bp as control_bp
from .world import World


def create_app(world: World) -> Flask:
    """The application over one world."""
    app = Flask(__name__)
    app.extensions["sandbox"] = world
    app.url_map.merge_slashes = False
    for bp in (
        transactions.bp,
        refund_calls.bp,
        bill_calls.bp,
        complaint_calls.bp,
        certificates.bp,
        control_bp,
        phone.bp,
        faults_page.bp,
    ):
        app.register_blueprint(bp)
    app.register_error_handler(HTTPException, _http_error)
    app.add_url_rule("/", view_func=lambda: redirect("/phone"), endpoint="home")
    app.before_request(_refuse_head)
    return app


def _http_error(error: HTTPException) -> Response:
    """Of the API, unknown routes and wrong methods answer with a bare status; the rest in its own manner."""
    status = error.code or 500
    if request.path.startswith("/v3"):
        return Response(status=status)
    if request.path.startswith("/control"):
        answer = jsonify({"error": error.description or error.name})
        answer.status_code = status
        return answer
    return Response(f"{status} {error.name}\n", status, mimetype="text/plain")


def _refuse_head() -> Response | None:
    """Flask would answer HEAD wherever GET is allowed; the gateway does not."""
    if request.method == "HEAD" and request.path.startswith("/v3"):
        return Response(status=405)
    return None
