"""`/admin/courses/<id>/drafts`: changes that an instructor prepares and an admin approves."""

from functools import partial

from flask import flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.catalogue.drafts import (
    NotWaiting,
    approve_draft,
    draft_of,
    is_overtaken,
    prepare_draft,
    refuse_draft,
)
from portal.catalogue.services import EditedByAnother
from portal.learners.queries import emails_of
from portal.learners.sessions import actor
from portal.staff.permissions import Permission, may
from portal.web.admin.addresses import known_id
from portal.web.admin.course_words import changes_of, state_of
from portal.web.admin.courses import course_page, edited_meanwhile, seen_course, wanted
from portal.web.admin.decisions import not_decided
from portal.web.admin.door import bp
from portal.web.admin.forms import ActForm, CourseForm
from portal.web.limits import limiter
from portal.web.staff import Forbidden, required_staff, staff_key, staff_may, step_up


@bp.post("/courses/<course_id>/drafts")
@staff_may(Permission.DRAFT_COURSES)
@limiter.limit("10 per minute", key_func=staff_key)
def prepare_course_draft(course_id: str) -> ResponseReturnValue:
    """Keep a change until an admin approves it; the course stays as it is."""
    course, form = seen_course(course_id), CourseForm()
    if not form.validate():
        return course_page(course, 422, form)
    try:
        draft_id = prepare_draft(course.id, *wanted(form), actor(required_staff()))
    except EditedByAnother:
        return edited_meanwhile(course.id, form)
    if draft_id is None:
        flash(_("Nothing was changed."), "success")
        return redirect(url_for(".course", course_id=course.id), 303)
    flash(_("Kept. Nothing of the course changes until an admin approves it."), "success")
    return _to(course.id, draft_id)


def _to(course_id: str, draft_id: str) -> ResponseReturnValue:
    return redirect(url_for(".course_draft", course_id=course_id, draft_id=draft_id), 303)


def _page(
    course_id: str, draft_id: str, status: int = 200, form: ActForm | None = None
) -> ResponseReturnValue:
    course = seen_course(course_id)
    draft = draft_of(course.id, known_id(draft_id))
    is_own = draft.prepared_by == actor(required_staff())
    page = render_template(
        "admin/courses/draft.html",
        course=course,
        draft=draft,
        changes=changes_of(draft),
        state=state_of(draft, course),
        is_of_now=not is_overtaken(draft, course),
        is_own=is_own,
        may_refuse=is_own or may(required_staff(), Permission.CHANGE_COURSES),
        emails=emails_of([draft.prepared_by, draft.decided_by]),
        refuse_form=form or ActForm(formdata=None),
        form=form,
    )
    return make_response(page, status)


@bp.get("/courses/<course_id>/drafts/<draft_id>")
@staff_may(Permission.SEE_COURSES)
def course_draft(course_id: str, draft_id: str) -> ResponseReturnValue:
    """Show a change: how the course was, how it is to be, and who decided."""
    return _page(course_id, draft_id)


@bp.post("/courses/<course_id>/drafts/<draft_id>/approve")
@staff_may(Permission.CHANGE_COURSES)
@step_up
def approve_course_draft(course_id: str, draft_id: str) -> ResponseReturnValue:
    """Make the course what the draft says, which nobody can change any more."""
    try:
        approve_draft(seen_course(course_id).id, known_id(draft_id), actor(required_staff()))
    except NotWaiting as error:
        return not_decided(error, partial(_page, course_id), draft_id)
    except EditedByAnother:
        flash(_("The course was changed after this was prepared. Have it prepared anew."), "error")
        return _page(course_id, draft_id, 409)
    flash(_("Approved. The course is changed."), "success")
    return _to(course_id, draft_id)


@bp.post("/courses/<course_id>/drafts/<draft_id>/refuse")
@staff_may(Permission.SEE_COURSES)
def refuse_course_draft(course_id: str, draft_id: str) -> ResponseReturnValue:
    """Refuse what an instructor prepared, or take back one's own."""
    course, person = seen_course(course_id), required_staff()
    draft = draft_of(course.id, known_id(draft_id))
    if draft.prepared_by != actor(person) and not may(person, Permission.CHANGE_COURSES):
        raise Forbidden
    form = ActForm()
    if not form.validate():
        return _page(course_id, draft_id, 422, form)
    try:
        refuse_draft(course.id, draft.public_id, str(form.reason.data), actor(person))
    except NotWaiting as error:
        return not_decided(error, partial(_page, course_id), draft_id)
    flash(_("The course stays as it is."), "success")
    return _to(course_id, draft_id)
