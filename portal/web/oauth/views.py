"""`/oauth/device_authorization`, `/oauth/token` and `/oauth/revoke`."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from portal.devices import grants, tokens
from portal.devices.errors import InvalidClient, Refused, UnsupportedGrantType
from portal.devices.tokens import Issued
from portal.kit import clock
from portal.kit.errors import TooMany
from portal.web.limits import limiter
from portal.web.oauth.forms import OAuthForm, read_form
from portal.web.tools import tools

bp = Blueprint("oauth", __name__, url_prefix="/oauth")

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@bp.after_request
def never_kept(response: Response) -> Response:
    """Answers hold secrets (RFC 6749, section 5.1)."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response


def _error(error: str, sentence: str, status: int) -> Response:
    """Return an error as RFC 6749 (section 5.2) has it, with the members of RFC 9457 beside it."""
    response = jsonify(
        error=error,
        error_description=sentence,
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=sentence,
        code=error,
        request_id=g.get("request_id", ""),
    )
    response.status_code = status
    return response


@bp.errorhandler(Refused)
def refused(error: Refused) -> Response:
    """No tokens: 400, or 401 to a client that tried to prove itself by a header (RFC 6749, section 5.2)."""
    if isinstance(error, InvalidClient) and "Authorization" in request.headers:
        response = _error(error.code, error.detail, 401)
        scheme = "Basic" if request.headers["Authorization"].lower().startswith("basic") else "Bearer"
        response.headers["WWW-Authenticate"] = f'{scheme} realm="Learning Buddy"'
        return response
    return _error(error.code, error.detail, error.status)


@bp.errorhandler(TooMany)
def too_many(error: TooMany) -> Response:
    """Too often from one network. Whoever polls understands `slow_down`."""
    name = "slow_down" if request.endpoint == "oauth.token" else "temporarily_unavailable"
    response = _error(name, "Too many requests. Wait as long as Retry-After says.", error.status)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def _was_begun(response: Response) -> bool:
    """Tell whether a code was made: only that is counted against the few of an hour."""
    return response.status_code == 200


@bp.post("/device_authorization")
@limiter.limit("60 per hour")
@limiter.limit("5 per hour", deduct_when=_was_begun)
def device_authorization() -> ResponseReturnValue:
    """Give an editor a code to show and one to ask with (RFC 8628, section 3.2)."""
    form = read_form()
    started = grants.start_grant(
        form.required("client_id"), form.get("scope"), form.get("device_name"), request.remote_addr or ""
    )
    page = f"{tools().settings.PORTAL_BASE_URL}/device"
    return {
        "device_code": started.device_code,
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={started.user_code}",
        "expires_in": started.expires_in,
        "interval": started.interval,
    }


def _from_device_code(form: OAuthForm, client_id: str) -> Issued:
    return grants.exchange(form.required("device_code"), client_id)


def _from_refresh_token(form: OAuthForm, client_id: str) -> Issued:
    return tokens.refresh(form.required("refresh_token"), client_id, form.get("scope"))


_GRANT_TYPES: dict[str, Callable[[OAuthForm, str], Issued]] = {
    DEVICE_CODE: _from_device_code,
    "refresh_token": _from_refresh_token,
}


@bp.post("/token")
@limiter.limit("600 per minute")
def token() -> ResponseReturnValue:
    """Exchange a device code or a refresh token for tokens (RFC 8628, section 3.4; RFC 6749, section 6)."""
    form = read_form()
    exchange = _GRANT_TYPES.get(form.required("grant_type"))
    if exchange is None:
        raise UnsupportedGrantType
    client_id = form.required("client_id")
    grants.check_client(client_id)
    return _answer(exchange(form, client_id))


def _answer(issued: Issued) -> dict[str, Any]:
    return {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": round((issued.expires_at - clock.now()).total_seconds()),
        "refresh_token": issued.refresh_token,
        "scope": issued.scope,
    }


@bp.post("/revoke")
@limiter.limit("600 per minute")
def revoke() -> ResponseReturnValue:
    """End the editor a token belongs to; a token nobody knows is answered alike (RFC 7009, section 2.2)."""
    form = read_form()
    if form.get("client_id"):
        grants.check_client(form.get("client_id"))
    tokens.revoke(form.required("token"))
    return {}
