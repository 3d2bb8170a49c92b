"""The blueprint of the control API and how it says no."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

bp = Blueprint("control", __name__, url_prefix="/control")


class ControlError(Exception):
    """The caller asked for what makes no sense (400), is not there (404) or cannot be done (409)."""

    def __init__(self, status: int, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.status = status
        self.body = {"error": reason, **facts}


@bp.errorhandler(ControlError)
def refused(error: ControlError) -> Response:
    """Answer a ControlError."""
    answer = jsonify(error.body)
    answer.status_code = error.status
    return answer
