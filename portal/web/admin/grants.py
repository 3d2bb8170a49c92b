"""`/admin/grants`: give a license by hand; approve what another asked for. `grant_lists.py` gives many."""

from typing import Any

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from portal.approvals.services import ChangedSinceAsked, OwnRequest
from portal.catalogue.queries import course_of, courses_on_sale
from portal.grants import queries, services
from portal.grants.errors import BadDays, BadReference, NotWaiting, ReferenceKnown, ReferenceUsed
from portal.grants.lists import worth_of
from portal.grants.models import GrantStatus
from portal.kit.errors import NotFound
from portal.kit.wording import price_text
from portal.learners.models import Learner
from portal.learners.queries import learner_with
from portal.licenses.key_ring import NoSigningKey
from portal.licenses.queries import held_license
from portal.licenses.services import AlreadyOwned
from portal.payments.rights import NotActive
from portal.staff.courses import courses_within
from portal.staff.permissions import Permission, Scope, may
from portal.web.admin import asked
from portal.web.admin.addresses import known_id
from portal.web.admin.decisions import not_decided, own_request_text
from portal.web.admin.door import bp
from portal.web.admin.forms import GrantForm, LicenseActForm
from portal.web.staff import required_staff, scope, staff_may, step_up
from portal.web.tools import tools

_PAGE = 50


@bp.get("/grants")
@staff_may(Permission.REQUEST_GRANTS)
def grants() -> str:
    """List grants, newest first; those that wait for a second person by a filter."""
    given = asked.asked(("status", "before"))
    status, before = asked.one_of(given, "status", GrantStatus), asked.before(given)
    rows = queries.grants(
        status,
        before,
        _PAGE + 1,
        None if may(required_staff(), Permission.APPROVE) else required_staff().id,
    )
    return render_template(
        "admin/grants/list.html",
        rows=rows[:_PAGE],
        older=rows[_PAGE - 1].Grant.id if len(rows) > _PAGE else None,
        is_first=before is None,
        status=status,
        statuses=list(GrantStatus),
    )


def _grant_form(**data: Any) -> GrantForm:
    """Return the form for one license, with the courses that whoever asks may give."""
    form = GrantForm(**data)
    within = courses_within(required_staff(), Permission.REQUEST_GRANTS)
    form.course_id.choices = [
        (course.id, course.title(str(get_locale())))
        for course in courses_on_sale()
        if not course.is_free and (within is None or course.id in within)
    ]
    return form


def too_much(worth_fen: int) -> str | None:
    """Say that it is more than whoever asks may ask for; None: it is not."""
    limit = tools().settings.APPROVAL_SINGLE_FEN
    if scope(Permission.REQUEST_GRANTS) is not Scope.SMALL or worth_fen <= limit:
        return None
    return _("You may give licenses worth at most %(amount)s at once.", amount=price_text(limit))


@bp.get("/grants/new")
@staff_may(Permission.REQUEST_GRANTS)
def new_grant() -> ResponseReturnValue:
    """Show the form that gives one license."""
    form = _grant_form(formdata=None, email=request.args.get("email", "")[:254])
    return _new_page(form)


def _new_page(form: GrantForm, status: int = 200) -> ResponseReturnValue:
    return make_response(render_template("admin/grants/new.html", form=form), status)


def _answers(form: GrantForm) -> tuple[Learner, dict[str, Any]] | None:
    """Return who is given what; None when a field is wrong, which then says so."""
    if not form.validate():
        return None
    learner = learner_with(form.email.data)
    if learner is None or learner.disabled_at is not None:
        form.email.errors = [_("No account in use has this address. The learner must register first.")]
        return None
    course = course_of(form.course_id.data)
    owned, license_id = held_license(learner.id, course.id)
    if owned:
        form.course_id.errors = [_("The learner has this course already.")]
        return None
    try:
        days = services.checked_days(form.days.data or course.license_days)
    except BadDays:
        form.days.errors = [_("Days are a whole number from 1 to 3660.")]
        return None
    worth_fen = worth_of(course, days)
    if problem := too_much(worth_fen):
        form.days.errors = [problem]
        return None
    return learner, {"course": course, "days": days, "worth_fen": worth_fen}


@bp.post("/grants/check")
@staff_may(Permission.REQUEST_GRANTS)
def check_grant() -> ResponseReturnValue:
    """Show what is about to be given, before it is."""
    form = _grant_form()
    answers = _answers(form)
    if answers is None:
        return _new_page(form, 422)
    learner, facts = answers
    return make_response(render_template("admin/grants/check.html", form=form, learner=learner, **facts))


@bp.post("/grants")
@staff_may(Permission.REQUEST_GRANTS)
@step_up
def ask_grant() -> ResponseReturnValue:
    """Give a license, or ask another person to agree."""
    form = _grant_form()
    answers = _answers(form)
    if answers is None:
        return _new_page(form, 422)
    try:
        grant_id = services.ask_course(
            required_staff(),
            answers[0],
            form.course_id.data,
            form.reason.data,
            tools(),
            form.days.data,
            form.reference.data,
        )
    except OwnRequest as error:
        form.email.errors = [own_request_text()]
        return _new_page(form, error.status)
    except BadReference:
        form.reference.errors = [_("A transaction's number is 6 to 64 letters and digits.")]
    except ReferenceKnown as error:
        form.reference.errors = [
            _("The portal has this payment: it is order %(order)s.", order=error.facts["order_id"])
        ]
    except ReferenceUsed as error:
        form.reference.errors = [
            _("A license was given for this transaction: %(grant)s.", grant=error.facts["grant_id"])
        ]
    except AlreadyOwned:
        form.course_id.errors = [_("The learner has this course already.")]
    except NoSigningKey:
        form.course_id.errors = [_("No key can sign at the moment; nothing was given.")]
    else:
        return redirect(url_for(".grant", grant_id=grant_id), 303)
    return _new_page(form, 422)


def _seen(grant_id: str) -> Any:
    row = queries.grant_of(known_id(grant_id))
    person = required_staff()
    if row.Grant.requested_by != person.id and not may(person, Permission.APPROVE):
        raise NotFound
    return row


def _page(grant_id: str, status: int = 200, form: LicenseActForm | None = None) -> ResponseReturnValue:
    row, person = _seen(grant_id), required_staff()
    is_own = row.Grant.requested_by == person.id
    page = render_template(
        "admin/grants/show.html",
        row=row,
        grant=row.Grant,
        is_own=is_own,
        needs_another=(is_own or row.Grant.learner_id == person.id)
        and not tools().settings.APPROVAL_ONE_PERSON_SHOP,
        refuse_form=form or LicenseActForm(formdata=None),
        form=form,
    )
    return make_response(page, status)


@bp.get("/grants/<grant_id>")
@staff_may(Permission.REQUEST_GRANTS)
def grant(grant_id: str) -> ResponseReturnValue:
    """Show a grant: what, for whom, why, worth how much, and who decided."""
    return _page(grant_id)


@bp.post("/grants/<grant_id>/approve")
@staff_may(Permission.APPROVE)
@step_up
def approve_grant(grant_id: str) -> ResponseReturnValue:
    """Approve what another asked for, exactly as it was shown."""
    try:
        services.approve_grant(
            required_staff(), known_id(grant_id), request.form.get("digest", "")[:64], tools()
        )
    except (OwnRequest, ChangedSinceAsked, NotWaiting) as error:
        return not_decided(error, _page, grant_id)
    except AlreadyOwned:
        flash(_("The learner has the course meanwhile; refuse this."), "warning")
        return _page(grant_id, 409)
    except NotActive:
        flash(_("The license has ended or was replaced meanwhile; refuse this."), "warning")
        return _page(grant_id, 409)
    except NoSigningKey:
        flash(_("No key can sign at the moment; it still waits."), "error")
        return _page(grant_id, 503)
    flash(_("Approved and carried out."), "success")
    return redirect(url_for(".grant", grant_id=grant_id), 303)


@bp.post("/grants/<grant_id>/refuse")
@staff_may(Permission.REQUEST_GRANTS)
def refuse_grant(grant_id: str) -> ResponseReturnValue:
    """Refuse what another asked for, or take back one's own."""
    row = _seen(grant_id)
    form = LicenseActForm()
    if not form.validate():
        return _page(grant_id, 422, form)
    try:
        services.refuse_grant(required_staff(), row.Grant.public_id, form.reason.data)
    except NotWaiting as error:
        return not_decided(error, _page, grant_id)
    flash(_("It will not be given."), "success")
    return redirect(url_for(".grant", grant_id=grant_id), 303)
