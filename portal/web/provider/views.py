"""`/health`, `/catalog`, `/catalog/search` and `/licenses/<license text>`, fed by catalogue and licenses."""

import re
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from portal.catalogue.models import Course
from portal.catalogue.queries import courses_on_sale
from portal.kit import clock
from portal.kit.errors import Invalid, NotFound
from portal.licenses.services import LicenseCode, judge
from portal.licenses.text import read
from portal.web.limits import limiter
from portal.web.tools import tools

bp = Blueprint("provider", __name__)

_VERSION = "1.0.0"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_SEARCH = 200


@bp.get("/health")
def health() -> ResponseReturnValue:
    """The provider answers."""
    return {"status": "ok"}


@bp.get("/catalog")
@limiter.limit("600/minute")
def catalog() -> ResponseReturnValue:
    """List the courses in the extension's form."""
    courses = [_facts(course) for course in courses_on_sale()]
    return {"version": _VERSION, "type": "catalog", "courses": courses}


@bp.get("/catalog/search")
@limiter.limit("600/minute")
def search() -> ResponseReturnValue:
    """List the courses that have the words `q`; all of them without any."""
    words = request.args.get("q", "")
    if len(words) > _LONGEST_SEARCH or _CONTROLS.search(words):
        raise Invalid("q")
    return {"courses": [_facts(course) for course in courses_on_sale(words)]}


def _facts(course: Course) -> dict[str, Any]:
    locale = str(get_locale())
    return {
        "id": course.id,
        "title": course.title(locale),
        "name": course.title(locale),
        "description": course.summary(locale),
        "level": course.level,
        "estimatedHours": course.estimated_hours,
        "hasProtectedContent": course.has_protected_content,
        "isFree": course.is_free,
        "version": _VERSION,
        "type": "course",
        "exercises": [],
    }


@bp.get("/licenses/<path:license_text>")
@limiter.limit("600/minute")
def license(license_text: str) -> ResponseReturnValue:
    """Show a valid license; every other text is not found, whatever is wrong with it.

    The text holds `/`, `+`, `=` and `|`, in the clear or escaped; the router gives it unescaped. It is the
    whole secret of a license, so nothing here logs an address.
    """
    code, found = judge(license_text, request.headers.get("X-Course-Id"), tools().key_ring)
    if code is not LicenseCode.VALID or found is None:
        raise NotFound
    fields, _signed, _signature = read(license_text)
    return {
        "id": found.id,
        "course_id": found.course_id,
        "license_key": found.text,
        "created_at": clock.iso(found.issued_at),
        "expires_at": clock.iso(found.expires_at),
        "is_active": True,
        "content_permissions": fields["contentPermissions"],
        "download_limit": fields["limits"]["maxDownloads"],
    }


@bp.after_request
def _keep_none(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept-Language")
    return response
