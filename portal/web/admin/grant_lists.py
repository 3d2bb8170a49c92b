"""`/admin/grants/bulk`: give licenses to a list of learners."""

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.approvals.services import OwnRequest
from portal.grants import services
from portal.grants.errors import BadList
from portal.grants.lists import LARGEST_LIST, Line, dry_run, read_list
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission
from portal.web.admin.decisions import own_request_text
from portal.web.admin.door import bp
from portal.web.admin.forms import BulkForm
from portal.web.admin.grants import too_much
from portal.web.staff import Forbidden, required_staff, staff_may, step_up
from portal.web.tools import tools

_PROBLEMS = {
    "header": _l("The first line must name the columns email, course_id and, if wanted, days; no others."),
    "empty": _l("The list has no lines."),
    "too_many": _l("The list has more than %(most)s lines.", most=LARGEST_LIST),
    "not_csv": _l("This is not CSV: a quotation mark is not closed."),
    "nul": _l("The file is not a text."),
    "cells": _l("The line has another number of cells than the first."),
    "email": _l("The e-mail address is not one."),
    "course": _l("There is no such course."),
    "days": _l("Days are a whole number from 1 to 3660."),
    "twice": _l("The same address and course stand in the list twice."),
}


def _check_course(course_id: str) -> None:
    """Refuse a course beyond what whoever asks may give.

    Raises:
        Forbidden: an instructor gives only what they teach.
    """
    courses = courses_within(required_staff(), Permission.REQUEST_GRANTS)
    if courses is not None and course_id not in courses:
        raise Forbidden


@bp.get("/grants/bulk")
@staff_may(Permission.REQUEST_GRANTS)
def bulk() -> str:
    """Show the form for a list."""
    return render_template("admin/grants/bulk.html", form=BulkForm(formdata=None))


def _read(form: BulkForm) -> list[Line] | None:
    """Return the lines of a list; None when it or the reason is wrong, which then says so."""
    upload = request.files.get("file")
    if upload is not None and upload.filename:
        try:
            form.list.data = upload.stream.read().decode("utf-8")
        except UnicodeDecodeError:
            form.list.data = ""
            form.validate()
            form.list.errors = [_("The file must be CSV in UTF-8.")]
            return None
    if not form.validate():
        return None
    try:
        lines = read_list(form.list.data)
    except BadList as error:
        where = _("Line %(number)s:", number=error.facts["line"]) if error.facts["line"] else ""
        form.list.errors = [f"{where} {_PROBLEMS[str(error.facts['problem'])]}".strip()]
        return None
    for line in lines:
        _check_course(line.course_id)
    if problem := too_much(sum(line.worth_fen for line in lines)):
        form.list.errors = [problem]
        return None
    return list(lines)


def _bulk_page(form: BulkForm, status: int) -> ResponseReturnValue:
    return make_response(render_template("admin/grants/bulk.html", form=form), status)


@bp.post("/grants/bulk/check")
@staff_may(Permission.REQUEST_GRANTS)
def check_bulk() -> ResponseReturnValue:
    """Go through a list without giving anything, and show what would happen."""
    form = BulkForm()
    lines = _read(form)
    if lines is None:
        return _bulk_page(form, 422)
    problems = dry_run(lines)
    return make_response(
        render_template(
            "admin/grants/bulk_check.html",
            form=form,
            lines=lines,
            problems=problems,
            worth_fen=sum(line.worth_fen for line in lines),
        )
    )


@bp.post("/grants/bulk")
@staff_may(Permission.REQUEST_GRANTS)
@step_up
def ask_bulk() -> ResponseReturnValue:
    """Begin a list, or ask another person to agree."""
    form = BulkForm()
    if _read(form) is None:
        return _bulk_page(form, 422)
    try:
        grant_id = services.ask_bulk(required_staff(), form.list.data, form.reason.data, tools())
    except OwnRequest as error:
        form.list.errors = [own_request_text()]
        return _bulk_page(form, error.status)
    return redirect(url_for(".grant", grant_id=grant_id), 303)
