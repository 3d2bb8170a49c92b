"""`/admin/courses/<id>/transfer`: whether a course is sold by transfer to its instructor, and to which code."""

from flask import Response, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.catalogue.models import OfferMode
from portal.catalogue.offers import NoCode, OfferFacts, offer_of, set_offer
from portal.catalogue.queries import course_of
from portal.catalogue.services import EditedByAnother
from portal.learners.sessions import actor
from portal.pictures.services import picture_of
from portal.staff.permissions import Permission
from portal.web.admin.confirmation_forms import OfferForm
from portal.web.admin.courses import course_page, seen_course
from portal.web.admin.door import bp
from portal.web.staff import required_staff, staff_may, step_up
from portal.web.uploads import picture_response, takes_picture


@bp.get("/courses/<course_id>/transfer-code")
@staff_may(Permission.SEE_COURSES)
def course_code(course_id: str) -> Response:
    """Show the code that learners are to pay to."""
    offer = offer_of(seen_course(course_id).id)
    return picture_response(picture_of(offer.picture_id if offer else None))


@bp.post("/courses/<course_id>/transfer")
@staff_may(Permission.CHANGE_COURSES)
@step_up
@takes_picture
def change_offer(course_id: str) -> ResponseReturnValue:
    """Say how the course is paid; whoever changes the code changes where money goes, so it is an admin's to do."""
    course, form = course_of(course_id), OfferForm()
    if not form.validate():
        return course_page(course, 422, offer_form=form)
    facts = OfferFacts(
        mode=OfferMode(form.mode.data),
        receiver=form.receiver.data or "",
        note_zh=form.note_zh.data or "",
        note_en=form.note_en.data or "",
        picture=form.picture.stripped,
    )
    try:
        set_offer(course.id, facts, int(form.version.data), actor(required_staff()))
    except NoCode:
        wrong = form.picture if facts.receiver else form.receiver
        wrong.errors = [_("Whom the money goes to must be named, and the code be there.")]
        return course_page(course, 422, offer_form=form)
    except EditedByAnother:
        flash(_("Somebody else changed the course meanwhile. Look again before you change it."), "error")
        return course_page(course, 409)
    flash(_("Saved. Open orders show it from now on."), "success")
    return redirect(url_for(".course", course_id=course.id), 303)
