"""`/healthz` (the process answers), `/readyz` (the database answers too), `/csp` (a browser refused something)."""

import json
import logging

import sqlalchemy as sa
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from portal.kit.db import db
from portal.web.limits import limiter

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


@bp.post("/csp")
@limiter.limit("10/minute")
def csp() -> ResponseReturnValue:
    """Log which directive a browser enforced, and nothing else of what it sends."""
    raw = request.get_data(cache=False)[:_LARGEST_REPORT]
    try:
        report = json.loads(raw).get("csp-report", {})
        directive = str(report.get("effective-directive") or report.get("violated-directive") or "")[:64]
    except (ValueError, AttributeError):
        return "", 204
    log.warning("csp report", extra={"directive": directive})
    return "", 204
