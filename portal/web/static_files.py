"""Styles and scripts for ever in the browser's cache, and never an old one after a deployment.

The address of a file carries a hash of its content; only an address with the right hash is cached for ever.
"""

import functools
import hashlib
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

_FOR_EVER = "public, max-age=31536000, immutable"
_MINUTES = "public, max-age=300"


@functools.cache
def _hash_of(path: Path, _changed_at: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def init_static_files(app: Flask) -> None:
    """Add the hash to every `url_for("static", …)`, and the cache's orders to every static answer."""
    folder = Path(app.static_folder or "")

    def version_of(filename: str) -> str | None:
        path = folder / filename
        try:
            return _hash_of(path, path.stat().st_mtime_ns)
        except OSError:
            return None

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values and (version := version_of(values["filename"])):
            values["v"] = version

    @app.after_request
    def order_caches(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code in {200, 304}:
            filename = (request.view_args or {}).get("filename", "")
            is_right = request.args.get("v") == version_of(filename)
            response.headers["Cache-Control"] = _FOR_EVER if is_right else _MINUTES
        return response
