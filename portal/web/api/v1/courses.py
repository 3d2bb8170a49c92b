"""The catalogue."""

from typing import Any

from flask import Response
from flask_babel import get_locale

from portal.catalogue import queries
from portal.catalogue.models import Course, OfferMode
from portal.catalogue.offers import modes_of
from portal.devices.models import Scope
from portal.payments.attempts import TRANSFER, WECHAT_PAY
from portal.payments.queries import StandingKind, standings_of
from portal.web.api.answers import answer, written
from portal.web.api.limits import per_address
from portal.web.api.resource import Resource, path_id
from portal.web.api.v1 import schemas
from portal.web.bearer import token_holder
from portal.web.tools import tools

bp = Resource("courses", __name__, "/courses", "Courses on sale.")
_METHODS = {
    OfferMode.OFF: [WECHAT_PAY],
    OfferMode.BESIDE: [WECHAT_PAY, TRANSFER],
    OfferMode.ONLY: [TRANSFER],
}
_OWNED = frozenset({StandingKind.OWNED, StandingKind.PREPARING})


@bp.get("")
@per_address
@bp.arguments(schemas.CourseQuery, location="query")
@bp.response(200, schemas.Courses)
def courses(query: dict[str, Any]) -> Response:
    """List the courses on sale."""
    found = queries.courses_on_sale(query.get("q"))
    return answer(written(schemas.Courses, {"items": _facts(found)}))


@bp.get("/<course_id>", parameters=path_id("course_id", schemas.PRODUCT_ID, "The course's id."))
@per_address
@bp.arguments(schemas.Nothing, location="query")
@bp.response(200, schemas.Course)
def course(_query: dict[str, Any], course_id: str) -> Response:
    """Show one course."""
    return answer(written(schemas.Course, _facts([queries.course_of(course_id)])[0]))


def _facts(found: list[Course]) -> list[dict[str, Any]]:
    holder = token_holder()
    sees_owned = holder is not None and Scope.CATALOG in holder.scopes
    standings = standings_of(holder.learner.id, found) if holder is not None and sees_owned else {}
    locale = str(get_locale())
    modes = modes_of([one.id for one in found])
    facts = []
    for one in found:
        fact = {
            "id": one.id,
            "title": one.title(locale),
            "description": one.summary(locale),
            "level": one.level,
            "estimated_hours": one.estimated_hours,
            "is_free": one.is_free,
            "amount": one.price_fen,
            "currency": one.currency,
            "license_days": one.license_days,
            "payment_methods": [] if one.is_free else _METHODS[modes[one.id]],
            "buy_url": f"{tools().settings.PORTAL_BASE_URL}/courses/{one.id}",
        }
        if sees_owned:
            fact["owned"] = standings[one.id].kind in _OWNED
        facts.append(fact)
    return facts
