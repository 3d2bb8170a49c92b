"""The description of the API (OpenAPI 3.1), made from the views, and its address `/api/v1/openapi.json`."""

import copy
import json
from typing import Any

import apispec
from flask import Blueprint, Flask, Response, current_app
from flask_smorest import Api

from portal.web.api.answers import answer
from portal.web.api.limits import per_address
from portal.web.api.resource import PREFIX
from portal.web.api.v1 import RESOURCES
from portal.web.api.v1.schemas import ProblemDocument
from portal.web.csrf import csrf
from portal.web.problems import MEDIA_TYPE

bp = Blueprint("api_description", __name__, url_prefix=PREFIX)

_INTRODUCTION = """\
Buy a course, watch its payment and get its license, from an editor.

Sign in with the device flow of RFC 8628 at `/oauth/device_authorization` and `/oauth/token`, and send the access
token as `Authorization: Bearer …`; cookies are not read, and a token in an address is refused. Amounts are
integers in fen, times UTC. Errors are `application/problem+json` (RFC 9457) with a stable `code`; texts are in the
language of `Accept-Language` (zh, en), else in the account's.
"""
_SECURITY = {"bearer": {"type": "http", "scheme": "bearer", "description": "An access token."}}
# Operations, as method and path below the prefix: who may call them. All others take no token or any good one.
_NEEDS_TOKEN = ("/payments/sessions", "/payments/cancel", "/payments/transactions", "/me")
_PUBLIC_LICENSES = ("/licenses/verify", "/licenses/public-keys", "/licenses/revocations")
_CONFLICTS = ("/payments/sessions", "/payments/cancel")
_PHRASES = {
    "400": "The request or its body cannot be read",
    "401": "No token, or one that is no good (any more)",
    "403": "The token does not allow this",
    "404": "There is no such thing, or it is another's",
    "409": "It does not fit the state: `already_owned`, `already_paid`, `in_progress`",
    "413": "More than 64 KiB",
    "415": "Not `application/json`",
    "422": "Fields are wrong, named under `errors`; or `idempotency_mismatch`, `not_for_sale`",
    "429": "Too often; `Retry-After` says how long to wait",
    "503": "Not now; nothing was changed",
}


class _Api(Api):
    """smorest without its error handler, which would turn the pages' errors into JSON too."""

    ERROR_SCHEMA = ProblemDocument
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        return


def init_api(app: Flask) -> None:
    """Register the resources, their description, and their freedom from CSRF tokens: no cookie counts here."""
    app.config.update(API_TITLE="Learning Buddy Portal", API_VERSION="1.0.0", OPENAPI_VERSION="3.1.0")
    api = _Api(app, spec_kwargs={"info": {"description": _INTRODUCTION}})
    # smorest brings commands of its own, of another manner than ours.
    app.cli.commands.pop("openapi", None)
    for resource in RESOURCES:
        api.register_blueprint(resource)
        csrf.exempt(resource)
    app.register_blueprint(bp)
    app.extensions["portal_api_description"] = _complete(api.spec)


def description() -> dict[str, Any]:
    """Return the description of the running portal's API."""
    found: dict[str, Any] = current_app.extensions["portal_api_description"]
    return found


@bp.get("/openapi.json")
@per_address
def openapi() -> Response:
    """The description as a program reads it."""
    return answer(json.dumps(description(), ensure_ascii=False))


def _complete(spec: apispec.APISpec) -> dict[str, Any]:
    """Add to what smorest wrote what holds for all operations: errors, tokens, ETags."""
    made = copy.deepcopy(spec.to_dict())
    # JSON and back: statuses become texts, tuples lists.
    document: dict[str, Any] = json.loads(json.dumps(made))
    document["tags"] = [{**tag, "name": tag["name"].removeprefix("api_")} for tag in document.get("tags", [])]
    components = document["components"]
    components["securitySchemes"] = _SECURITY
    components["responses"] = {status: _problem(phrase) for status, phrase in _PHRASES.items()}
    for path, operations in document["paths"].items():
        short = path.removeprefix(PREFIX)
        for method, operation in operations.items():
            if method in {"get", "post"}:
                _complete_operation(operation, method, short, [*operations.get("parameters", [])])
    return document


def _complete_operation(
    operation: dict[str, Any], method: str, path: str, path_parameters: list[Any]
) -> None:
    operation["tags"] = [tag.removeprefix("api_") for tag in operation.get("tags", [])]
    operation["operationId"] = f"{method}_{path.strip('/').replace('/', '_').replace('-', '_')}".replace(
        "{", ""
    ).replace("}", "")
    is_guarded = path.startswith(_NEEDS_TOKEN) or (
        path.startswith("/licenses") and path not in _PUBLIC_LICENSES
    )
    operation["security"] = [{"bearer": []}] if is_guarded else [{}, {"bearer": []}]
    statuses = {"400", "401", "422", "429", "503"}
    if is_guarded and path != "/me":
        statuses.add("403")
    if path_parameters or path in _CONFLICTS:
        statuses.add("404")
    if method == "post":
        statuses |= {"413", "415"}
    if method == "post" and path in _CONFLICTS:
        statuses.add("409")
    responses = {status: answer for status, answer in operation["responses"].items() if status < "300"}
    responses |= {status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}
    if method == "get":
        responses["200"]["headers"] = {"ETag": _ETAG}
        responses["304"] = {
            "description": "As it was: the ETag in `If-None-Match` is the current one",
            "headers": {"ETag": _ETAG},
        }
    operation["responses"] = dict(sorted(responses.items()))


_ETAG = {"description": "The version of this answer.", "schema": {"type": "string"}}


def _problem(phrase: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    return found
