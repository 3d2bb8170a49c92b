"""JSON answers, and 304 where the caller has the same already."""

import hashlib
import json
from typing import Any

import marshmallow as ma
from flask import Response, g, request
from flask_babel import get_locale

REPLAYED = "Idempotency-Replayed"
"""The header that tells a stored answer from the first one."""


def written(schema: type[ma.Schema], facts: Any) -> str:
    """Return `facts` as the JSON text that `schema` describes; nothing else of them gets out."""
    return json.dumps(schema().dump(facts), ensure_ascii=False, separators=(",", ":"))


def answer(
    text: str, status: int = 200, *, etag: str | None = None, content_type: str = "application/json"
) -> Response:
    """Return `text` as the answer.

    A successful GET gets an ETag (of the text, unless `etag` is given) and becomes a 304 when the caller
    knows it. What is a learner's own is kept by nobody on the way; the rest may be kept and must be asked about.
    """
    response = Response(text, status, content_type=content_type)
    if status == 200 and request.method in {"GET", "HEAD"}:
        etag = etag or hashlib.sha256(text.encode()).hexdigest()[:32]
        if request.if_none_match.contains_weak(etag):
            response = Response(status=304)
        response.set_etag(etag)
    return with_headers(response)


def is_known(etag: str) -> bool:
    """Tell whether the caller has this version, so that nothing need be drawn."""
    return request.if_none_match.contains_weak(etag)


def not_modified(etag: str) -> Response:
    """Return the 304."""
    response = Response(status=304)
    response.set_etag(etag)
    return with_headers(response)


def with_headers(response: Response) -> Response:
    """Say who may keep the answer, and what else it depends on."""
    response.headers["Cache-Control"] = "no-store" if g.get("token_holder") else "public, no-cache"
    response.vary.update(["Accept-Language", "Authorization"])
    response.headers["Content-Language"] = str(get_locale()).replace("_", "-")
    return response
