"""Licenses: one's own, and for everybody the keys, the revocations and the verdict on a text."""

import re
from typing import Any

from flask import Response

from portal.devices.models import Scope
from portal.kit import clock
from portal.kit.errors import Unavailable
from portal.licenses.key_ring import KeyState, NoSigningKey
from portal.licenses.models import LicenseStatus
from portal.licenses.services import LicenseCode, judge
from portal.payments.history import LicenseLine, all_licenses_of, license_line_of
from portal.web.api.answers import answer, written
from portal.web.api.limits import per_address, per_token
from portal.web.api.resource import Resource, known_form, path_id
from portal.web.api.v1 import schemas
from portal.web.bearer import learner_of_token, needs
from portal.web.tools import tools

bp = Resource("licenses", __name__, "/licenses", "Licenses, and what verifies them.")
_LICENSE_ID = re.compile(schemas.LICENSE_ID, re.ASCII)


@bp.get("")
@needs(Scope.LICENSES)
@per_token
@bp.arguments(schemas.Nothing, location="query")
@bp.response(200, schemas.Licenses)
def licenses(_query: dict[str, Any]) -> Response:
    """List the learner's licenses, newest first."""
    found = all_licenses_of(learner_of_token())
    return answer(written(schemas.Licenses, {"items": [_facts(line) for line in found]}))


@bp.get(
    "/<string(length=36):license_id>",
    parameters=path_id("license_id", schemas.LICENSE_ID, "The license's id."),
)
@needs(Scope.LICENSES)
@per_token
@bp.arguments(schemas.Nothing, location="query")
@bp.response(200, schemas.License)
def license(_query: dict[str, Any], license_id: str) -> Response:
    """Show one of the learner's licenses."""
    line = license_line_of(learner_of_token(), known_form(_LICENSE_ID, license_id))
    return answer(written(schemas.License, _facts(line)))


def _facts(line: LicenseLine) -> dict[str, Any]:
    found = line.license
    is_active = found.status == LicenseStatus.ACTIVE
    return {
        "id": found.id,
        "course_id": found.course_id,
        "status": "expired" if is_active and found.is_expired else found.status,
        "issued_at": clock.iso(found.issued_at),
        "expires_at": clock.iso(found.expires_at),
        "order_id": line.order.public_id if line.order else None,
        "key": found.text if is_active else None,
    }


@bp.post("/verify")
@per_address
@per_token
@bp.arguments(schemas.LicenseQuestion)
@bp.response(200, schemas.Verdict)
def verify(body: dict[str, Any]) -> Response:
    """Judge a license text. Whatever it holds, the answer is 200 and of one shape."""
    code, found = judge(body["key"], body.get("course_id"), tools().key_ring)
    license_ = None
    if found is not None:
        license_ = {
            "id": found.id,
            "course_id": found.course_id,
            "issued_at": clock.iso(found.issued_at),
            "expires_at": clock.iso(found.expires_at),
        }
    facts = {
        "valid": code is LicenseCode.VALID,
        "code": code.value,
        "license": license_,
        "checked_at": clock.iso(clock.now()),
    }
    return answer(written(schemas.Verdict, facts))


@bp.get("/public-keys")
@per_address
@bp.arguments(schemas.Nothing, location="query")
@bp.response(200, schemas.PublicKeys)
def public_keys(_query: dict[str, Any]) -> Response:
    """List the keys that licenses are verified with."""
    ring = tools().key_ring
    # A key that cannot be read, or is known to the world, is not one of them.
    known = [key for key in ring.infos() if ring.public_key(key.kid) and key.state is not KeyState.PREPARED]
    keys = [
        {
            "kid": key.kid,
            "alg": "RS256",
            "pem": key.pem,
            "status": key.state.value,
            "not_before": key.not_before,
            "not_after": key.not_after,
        }
        for key in known
    ]
    return answer(written(schemas.PublicKeys, {"keys": keys}))


@bp.get("/revocations")
@per_address
@bp.arguments(schemas.Nothing, location="query")
@bp.response(
    200,
    {"type": "string", "pattern": "^[A-Za-z0-9+/=]+\\|[A-Za-z0-9+/=]+$"},
    content_type="text/plain",
    description="Base64 of the JSON `{kid, issuedAt, nextUpdate, revoked: [{id, at, reason}]}`, `|`, signature",
)
def revocations(_query: dict[str, Any]) -> Response:
    """The signed list of revoked licenses, in the text form of a license."""
    try:
        text = tools().revocations.text()
    except NoSigningKey:
        raise Unavailable from None
    return answer(text, content_type="text/plain; charset=utf-8")
