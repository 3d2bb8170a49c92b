"""The catalogue and the page of a course, for anybody."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from portal.catalogue.models import Course
from portal.catalogue.queries import course_of, courses_on_sale
from portal.payments.queries import Standing, standing_of, standings_of
from portal.web.auth import current_learner

bp = Blueprint("storefront", __name__)

_LONGEST_SEARCH = 100


@dataclass(frozen=True)
class Offer:
    """A course in the list, and how the visitor stands to it."""

    course: Course
    standing: Standing


@bp.get("/")
def home() -> Response:
    """Lead to the courses."""
    return redirect(url_for(".courses"))


@bp.get("/courses")
def courses() -> str:
    """List what is on sale, or what of it matches a search."""
    q = request.args.get("q", "").strip()[:_LONGEST_SEARCH]
    found = courses_on_sale(q)
    standings = standings_of(_learner_id(), found)
    offers = [Offer(course, standings[course.id]) for course in found]
    return render_template("storefront/courses.html", offers=offers, q=q)


@bp.get("/courses/<course_id>")
def course(course_id: str) -> str:
    """Show a course, its price, and the one thing this visitor can do next."""
    shown = course_of(course_id)
    return render_template("storefront/course.html", course=shown, standing=standing_of(_learner_id(), shown))


def _learner_id() -> int | None:
    learner = current_learner()
    return learner.id if learner is not None else None
