"""`/admin/courses`: what is for sale, at which price since when; edit and withdraw."""

from datetime import datetime
from typing import Any

from flask import flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.catalogue.drafts import drafts_of, waiting_drafts
from portal.catalogue.models import Course, OfferMode, TransferOffer
from portal.catalogue.offers import offer_of
from portal.catalogue.queries import all_courses, course_of
from portal.catalogue.services import CourseFacts, EditedByAnother, edit_course, prices_of
from portal.kit import money
from portal.kit.errors import NotFound
from portal.learners.queries import emails_of
from portal.learners.sessions import actor
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission
from portal.web.admin.confirmation_forms import OfferForm
from portal.web.admin.course_words import names_of, state_of
from portal.web.admin.door import bp
from portal.web.admin.forms import CourseForm
from portal.web.staff import required_staff, staff_may, step_up


@bp.get("/courses")
@staff_may(Permission.SEE_COURSES)
def courses() -> str:
    """List the courses, withdrawn ones too."""
    within = courses_within(required_staff(), Permission.SEE_COURSES)
    shown = [course for course in all_courses() if within is None or course.id in within]
    waiting = waiting_drafts(within)
    return render_template(
        "admin/courses/list.html",
        courses=shown,
        waiting=[(draft, course, names_of(draft)) for draft, course in waiting],
        emails=emails_of(draft.prepared_by for draft, _course in waiting),
    )


def seen_course(course_id: str) -> Course:
    """Return a course that whoever is asking may see.

    Raises:
        NotFound: there is none, or it is another's.
    """
    within = courses_within(required_staff(), Permission.SEE_COURSES)
    if within is not None and course_id not in within:
        raise NotFound
    return course_of(course_id)


def course_page(
    course: Course, status: int = 200, form: CourseForm | None = None, offer_form: OfferForm | None = None
) -> ResponseReturnValue:
    """Draw the page of a course, with a form that was sent wrong in the place of a fresh one."""
    offer, drafts = offer_of(course.id), drafts_of(course.id)
    page = render_template(
        "admin/courses/show.html",
        course=course,
        prices=prices_of(course.id),
        drafts=[(draft, names_of(draft), state_of(draft, course)) for draft in drafts],
        emails=emails_of(draft.prepared_by for draft in drafts),
        offer=offer,
        form=offer_form or form,
        course_form=form or _filled(course),
        offer_form=offer_form or _filled_offer(offer),
    )
    return make_response(page, status)


def _filled_offer(offer: TransferOffer | None) -> OfferForm:
    if offer is None:
        return OfferForm(formdata=None, mode=OfferMode.OFF.value, version="0")
    return OfferForm(
        formdata=None,
        mode=offer.mode,
        receiver=offer.receiver,
        note_zh=offer.note_zh,
        note_en=offer.note_en,
        version=str(offer.version),
    )


def _filled(course: Course) -> CourseForm:
    values: dict[str, Any] = {
        name: getattr(course, name)
        for name in (
            "title_zh",
            "title_en",
            "summary_zh",
            "summary_en",
            "license_days",
            "max_downloads",
            "is_on_sale",
        )
    }
    return CourseForm(
        formdata=None, **values, price=money.yuan(course.price_fen), seen=course.updated_at.isoformat()
    )


@bp.get("/courses/<course_id>")
@staff_may(Permission.SEE_COURSES)
def course(course_id: str) -> ResponseReturnValue:
    """Show a course with its price history, and the form to edit it."""
    return course_page(seen_course(course_id))


@bp.post("/courses/<course_id>")
@staff_may(Permission.CHANGE_COURSES)
@step_up
def change_course(course_id: str) -> ResponseReturnValue:
    """Edit a course; orders keep the price they were placed at."""
    found, form = course_of(course_id), CourseForm()
    if not form.validate():
        return course_page(found, 422, form)
    try:
        changed = edit_course(found.id, *wanted(form), actor(required_staff()))
    except EditedByAnother:
        return edited_meanwhile(found.id, form)
    flash(_("The course is changed.") if changed else _("Nothing was changed."), "success")
    return redirect(url_for(".course", course_id=found.id), 303)


def wanted(form: CourseForm) -> tuple[CourseFacts, datetime]:
    """Return what a form without mistakes wants a course to be, and when the course on its page had been changed last."""
    days, downloads = form.license_days.data, form.max_downloads.data
    assert days is not None
    assert downloads is not None
    facts = CourseFacts(
        title_zh=form.title_zh.data,
        title_en=form.title_en.data,
        summary_zh=form.summary_zh.data,
        summary_en=form.summary_en.data,
        price_fen=money.fen(form.price.data),
        license_days=days,
        max_downloads=downloads,
        is_on_sale=form.is_on_sale.data,
    )
    return facts, datetime.fromisoformat(form.seen.data)


def edited_meanwhile(course_id: str, form: CourseForm) -> ResponseReturnValue:
    """Say that somebody was faster, and keep what was typed."""
    flash(_("Somebody else changed the course meanwhile. Look again before you change it."), "error")
    return course_page(course_of(course_id), 409, form)
