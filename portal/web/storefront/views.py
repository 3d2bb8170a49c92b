"""The catalogue and the page of a course, for anybody."""

import functools

from flask import (
    Blueprint,
    Response,
    current_app,
    get_template_attribute,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from portal.catalogue.offers import modes_of
from portal.catalogue.queries import CourseCard, cards_on_sale, course_of
from portal.payments.queries import StandingKind, standing_of, standings_of
from portal.web.auth import reader
from portal.web.filters import language
from portal.web.storefront.whole import WholePages
from portal.web.view_counter import count_view

bp = Blueprint("storefront", __name__)

_LONGEST_SEARCH = 100
_PAGES = "portal_whole_pages"


@bp.record_once
def _begin_whole_pages(state: BlueprintSetupState) -> None:
    state.app.extensions[_PAGES] = WholePages()


# Drawn once for all who see the same: whatever a card shows is in its key.
@functools.lru_cache(maxsize=4096)
def _card(course: CourseCard, standing: StandingKind, locale: str) -> Markup:
    return get_template_attribute("storefront/_course_card.html", "course_card")(course, standing, locale)


@bp.get("/")
def home() -> ResponseReturnValue:
    """Lead to the courses."""
    return redirect(url_for(".courses"))


@bp.get("/courses")
def courses() -> str:
    """List what is on sale, or what of it matches a search."""
    q = request.args.get("q", "").strip()[:_LONGEST_SEARCH]
    found = cards_on_sale(q)
    # First who is asking, which may fail; the language is found in any case.
    learner_id = _learner_id()
    if learner_id is not None:
        return _courses_page(learner_id, found, q)
    pages: WholePages = current_app.extensions[_PAGES]
    return pages.page(tuple(found), lambda: _courses_page(None, found, q))


def _courses_page(learner_id: int | None, found: list[CourseCard], q: str) -> str:
    standings = standings_of(learner_id, found)
    locale = language()
    cards = [_card(course, standings[course.id].kind, locale) for course in found]
    return render_template("storefront/courses.html", cards=cards, q=q)


@bp.get("/courses/<course_id>")
def course(course_id: str) -> Response:
    """Show a course, its price, and the one thing this visitor can do next."""
    shown = course_of(course_id)
    standing = standing_of(_learner_id(), shown)
    transfer_mode = modes_of([shown.id])[shown.id]
    page = render_template(
        "storefront/course.html", course=shown, standing=standing, transfer_mode=transfer_mode
    )
    response = make_response(page)
    count_view(shown.id, response)
    return response


def _learner_id() -> int | None:
    known = reader()
    return known.id if known is not None else None
