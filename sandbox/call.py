"""One request to the API as it arrived on the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from flask import Request
from werkzeug.datastructures import Headers

from . import errors
from .faults import Fault
from .images import parts_of
from .server import Line

NUMBERS = ("out_trade_no", "transaction_id", "out_refund_no", "refund_id", "complaint_id")


@dataclass
class Call:
    """What the checks need of a request; bytes where the signature is over bytes."""

    route: str
    """The sandbox's name for the operation: create, query, close, certificates."""
    method: str
    target: bytes
    """Path and query exactly as sent."""
    headers: Headers
    body: bytes
    line: Line
    path_values: dict[str, str]
    query: dict[str, str] = field(default_factory=dict)
    needs_user_agent: bool = False
    base_url: str = ""
    """Scheme, host and port the client used."""
    faults: list[Fault] = field(default_factory=list)
    """Those that strike this request."""

    @classmethod
    def of(cls, request: Request, route: str, path_values: dict[str, str], needs_user_agent: bool) -> Call:
        """Read it from Flask, bytes untouched."""
        target = request.environ.get("sandbox.target")
        raw = target if target is not None else request.environ.get("RAW_URI", request.full_path)
        return cls(
            route=route,
            method=request.method,
            target=raw.encode("latin-1", "replace"),
            headers=Headers(request.headers),
            body=request.get_data(),
            line=request.environ.get("sandbox.line") or Line(None),
            path_values=path_values,
            query=request.args.to_dict(),
            needs_user_agent=needs_user_agent,
            base_url=request.host_url.rstrip("/"),
        )

    def signed_body(self) -> bytes:
        """What the signature is over: the body, or of an upload the `meta` part alone.

        Raises:
            ApiError: 400 when an upload has no such part.
        """
        return parts_of(self.body).meta if self.route == "image_upload" else self.body

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ApiError: 400 when it is anything else.
        """
        if "json" not in self.headers.get("Content-Type", ""):
            raise errors.invalid_request("Http头Content-Type值格式错误，请使用application/json")
        try:
            value = json.loads(self.body.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        except (ValueError, RecursionError):
            raise errors.invalid_request("请求包体不是合法的JSON") from None
        if not isinstance(value, dict):
            raise errors.invalid_request("请求包体不是合法的JSON")
        return value

    def named(self) -> dict[str, str]:
        """The numbers that say what this request is about, read leniently: for the log and for faults only."""
        found: dict[str, Any] = dict(self.path_values)
        if self.body and self.route != "image_upload":
            try:
                body = json.loads(self.body)
            except (ValueError, RecursionError):
                body = None
            if isinstance(body, dict):
                found = body | found
        return {
            name: found[name]
            for name in NUMBERS
            if isinstance(found.get(name), str) and (name in self.path_values or found[name].isascii())
        }


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(digits)
    return number
