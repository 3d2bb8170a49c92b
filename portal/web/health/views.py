"""`/healthz` (the process answers), `/readyz` (the database answers too), `/metrics`, `/csp` (a browser refused something)."""

import hmac
import logging

import sqlalchemy as sa
from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from portal.doctor import metrics as figures
from portal.kit import strict_json
from portal.kit.db import db
from portal.web.limits import limiter
from portal.web.tools import tools

bp = Blueprint("health", __name__)
log = logging.getLogger(__name__)
_LARGEST_REPORT = 8 * 1024


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """The process can serve: its database answers."""
    try:
        db.session.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError:
        db.session.rollback()
        return {"status": "database away"}, 503
    return {"status": "ok"}


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    """How far behind the portal is, for whoever knows METRICS_TOKEN; without that setting there is no such page."""
    token = tools().settings.METRICS_TOKEN
    if token is None:
        abort(404)
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode()):
        return {"status": "unauthorized"}, 401, {"WWW-Authenticate": "Bearer"}
    try:
        text = figures.render()
    except sa.exc.SQLAlchemyError:
        db.session.rollback()
        return {"status": "database away"}, 503
    return text, 200, {"Content-Type": figures.CONTENT_TYPE, "Cache-Control": "no-store"}


@bp.post("/csp")
@limiter.limit("10/minute")
def csp() -> ResponseReturnValue:
    """Log which directive a browser enforced, and nothing else of what it sends."""
    raw = request.get_data(cache=False)[:_LARGEST_REPORT]
    try:
        report = strict_json.loads(raw).get("csp-report", {})
        directive = str(report.get("effective-directive") or report.get("violated-directive") or "")[:64]
    except (strict_json.BadJson, AttributeError):
        return "", 204
    log.warning("csp report", extra={"directive": directive})
    return "", 204
