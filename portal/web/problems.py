"""Errors for programs: `application/problem+json` (RFC 9457) with codes that do not change.

Each code has its title and a sentence on what to do, in the caller's language. The table is the list in
`docs/api.md`, and a test compares the two.
"""

import json
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from portal.web.tools import tools

MEDIA_TYPE = "application/problem+json"
_PREFIXES = ("/api/", "/oauth/")
_PAGES = frozenset({"/api/docs"})
_PROVIDER = "provider"


@dataclass(frozen=True)
class Problem:
    """A code's status, title, and what its caller can do."""

    status: int
    title: LazyString
    detail: LazyString


PROBLEMS: dict[str, Problem] = {
    "bad_request": Problem(
        400, _l("The request cannot be read"), _l("Look at the address and the headers that were sent.")
    ),
    "bad_json": Problem(
        400, _l("The body is not JSON"), _l("Send one JSON object in UTF-8, each key in it once.")
    ),
    "idempotency_key_missing": Problem(
        400,
        _l("The header Idempotency-Key is missing"),
        _l("Send a new random key of 1 to 255 visible ASCII characters, and the same one when you repeat."),
    ),
    "unauthenticated": Problem(401, _l("You are not signed in"), _l("Sign in again in the editor.")),
    "insufficient_scope": Problem(
        403, _l("The editor may not do this"), _l("Connect the editor again and allow it.")
    ),
    "forbidden": Problem(403, _l("This is not allowed"), _l("Your account may not do this.")),
    "not_found": Problem(
        404, _l("Not found"), _l("There is no such thing, or it does not belong to your account.")
    ),
    "method_not_allowed": Problem(
        405, _l("This address does not take that method"), _l("The header Allow names those it takes.")
    ),
    "already_owned": Problem(
        409,
        _l("You own this course already"),
        _l("There is nothing to pay: use the license that you have."),
    ),
    "already_paid": Problem(
        409, _l("The order is paid"), _l("The payment came first, so it can not be cancelled any more.")
    ),
    "in_progress": Problem(
        409, _l("The first call is still running"), _l("Wait a moment and repeat it with the same key.")
    ),
    "conflict": Problem(
        409, _l("This does not fit how things stand"), _l("Read the state again before you go on.")
    ),
    "payload_too_large": Problem(413, _l("The body is too large"), _l("Send at most 64 KiB.")),
    "unsupported_media_type": Problem(
        415,
        _l("The body is of another kind"),
        _l("Send application/json in UTF-8, without a Content-Encoding."),
    ),
    "validation_failed": Problem(
        422, _l("Something in the request is wrong"), _l("Each field is named under errors.")
    ),
    "idempotency_mismatch": Problem(
        422,
        _l("The Idempotency-Key was used for another body"),
        _l("Use a new key for a new call, and an old one only to repeat the same."),
    ),
    "not_for_sale": Problem(
        422, _l("This course cannot be bought"), _l("It is free, or not on sale at the moment.")
    ),
    "way_not_offered": Problem(
        422,
        _l("This course is not sold in this way"),
        _l("The course names its ways to pay under payment_methods."),
    ),
    "too_many": Problem(
        429, _l("Too many requests"), _l("Wait as long as the header Retry-After says, in seconds.")
    ),
    "too_many_open_orders": Problem(
        429, _l("Too many open orders"), _l("Pay or cancel one of your open orders first.")
    ),
    "internal": Problem(
        500, _l("Something broke on our side"), _l("Nothing of yours is lost. Please try again later.")
    ),
    "gateway_unavailable": Problem(
        503,
        _l("WeChat Pay cannot be reached right now"),
        _l("You have not been charged and nothing was ordered. Try again in a moment."),
    ),
    "sales_paused": Problem(
        503,
        _l("Nothing is sold at the moment"),
        _l("Nothing was ordered. Orders begun before go on; try again later."),
    ),
    "unavailable": Problem(
        503, _l("Not available at the moment"), _l("Nothing was changed. Please try again in a moment.")
    ),
}
_BY_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    415: "unsupported_media_type",
    422: "validation_failed",
    429: "too_many",
    503: "unavailable",
}
_MEMBERS = ("license_id", "session", "amount_fen")


def are_wanted() -> bool:
    """Tell whether whoever asks is a program of the API's, by the address alone."""
    path = request.path
    if path in _PAGES:
        return False
    return path.startswith(_PREFIXES) or request.blueprint == _PROVIDER


def problem(status: int, code: str, facts: dict[str, Any]) -> Response:
    """Return the answer for an error. Facts that are part of the contract become members of it."""
    # What there are too many of is the better code for a program.
    if facts.get("detail") in PROBLEMS:
        code = facts["detail"]
    if code not in PROBLEMS:
        code = _BY_STATUS.get(status, "bad_request" if status < 500 else "internal")
    known = PROBLEMS[code]
    document: dict[str, Any] = {
        "type": f"{tools().settings.PORTAL_BASE_URL}/api/docs#{code}",
        "title": str(known.title),
        "status": status,
        "detail": str(known.detail),
        "code": code,
        "request_id": g.get("request_id", ""),
    }
    if "errors" in facts:
        document["errors"] = facts["errors"]
    document |= {name: facts[name] for name in _MEMBERS if name in facts}
    text = json.dumps(document, ensure_ascii=False)
    response = Response(text, status, content_type=MEDIA_TYPE)
    response.headers["Content-Language"] = str(get_locale()).replace("_", "-")
    if status == 401 or code == "insufficient_scope":
        response.headers["WWW-Authenticate"] = _challenge(facts)
    return response


def _challenge(facts: dict[str, Any]) -> str:
    """Say which token would do (RFC 6750, section 3)."""
    words = ['Bearer realm="learning-buddy"']
    if "scope" in facts:
        words += ['error="insufficient_scope"', f'scope="{facts["scope"]}"']
    elif "error" in facts:
        words.append(f'error="{facts["error"]}"')
    return ", ".join(words)
