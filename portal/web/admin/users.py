"""`/admin/users`: people, their roles, sessions and phones."""

import re
from collections.abc import Callable

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField, SelectMultipleField
from wtforms.fields.choices import SelectChoice

from portal.kit.errors import NotFound, PortalError
from portal.learners import sessions
from portal.learners.models import Learner, Role
from portal.staff import roles, second_factor
from portal.staff.permissions import Permission
from portal.staff.queries import all_course_ids, course_ids_of, people, person
from portal.staff.second_factor import staff_actor
from portal.web.admin.door import bp
from portal.web.admin.forms import ActForm
from portal.web.staff import required_staff, staff_may, step_up

_ID = re.compile(r"[0-9a-z]{20}", re.ASCII)
_LONGEST_SEARCH = 254
ROLE_NAMES = {
    Role.LEARNER: _l("Learner"),
    Role.INSTRUCTOR: _l("Instructor"),
    Role.SUPPORT: _l("Support"),
    Role.FINANCE: _l("Finance"),
    Role.ADMIN: _l("Administrator"),
}


@bp.app_template_filter("role_name")
def role_name(role: str) -> str:
    """Return a role in words."""
    return str(ROLE_NAMES[Role(role)])


class RoleForm(ActForm):
    """The role that a person shall have."""

    role = SelectField(
        _l("Role"), choices=[SelectChoice(role.value, name) for role, name in ROLE_NAMES.items()]
    )


class CoursesForm(ActForm):
    """The courses that an instructor teaches."""

    course_ids = SelectMultipleField(_l("Courses"))


def _person(learner_id: str) -> Learner:
    if not _ID.fullmatch(learner_id):
        raise NotFound
    return person(learner_id)


@bp.get("/users")
@staff_may(Permission.MANAGE_USERS)
def users() -> str:
    """Find people."""
    search = request.args.get("q", "")[:_LONGEST_SEARCH].strip()
    role = request.args.get("role", "")
    wanted = Role(role) if role in set(Role) else None
    return render_template(
        "admin/users/list.html",
        found=people(search, wanted, request.args.get("cursor")),
        search=search,
        role=wanted,
        roles=ROLE_NAMES,
        is_first="cursor" not in request.args,
    )


def _page(learner: Learner, form: ActForm | None = None, status: int = 200) -> Response:
    """Draw a person with all forms; `form` is the one that was sent, with what is wrong in it."""
    courses_form = CoursesForm(formdata=None, prefix="courses-", course_ids=course_ids_of(learner))
    forms: dict[str, ActForm] = {
        "role": RoleForm(formdata=None, prefix="role-", role=learner.role),
        "courses": courses_form,
        **{act: ActForm(formdata=None, prefix=f"{act}-") for act in (*_ACTS, "decide", "refuse")},
    }
    if form is not None:
        forms[form._prefix.rstrip("-")] = form
    for each in forms.values():
        if isinstance(each, CoursesForm):
            each.course_ids.choices = _course_choices()
    page = render_template(
        "admin/users/show.html",
        person=learner,
        asked=roles.open_request_of(learner),
        by=required_staff(),
        sessions=sessions.sessions_of(learner.id),
        has_phone=second_factor.is_set_up(learner),
        forms=forms,
        form=form,
    )
    return make_response(page, status)


def _course_choices() -> list[SelectChoice]:
    return [SelectChoice(course_id, course_id) for course_id in all_course_ids()]


@bp.get("/users/<learner_id>")
@staff_may(Permission.MANAGE_USERS)
def user(learner_id: str) -> Response:
    """Show a person and what can be done about the account."""
    return _page(_person(learner_id))


def _done(learner: Learner, form: ActForm, act: Callable[[], str]) -> ResponseReturnValue:
    """Do what a form asks, and say so; a form that is wrong, or an act that is refused, shows the page again."""
    if not form.validate_on_submit():
        return _page(learner, form, 422)
    try:
        text = act()
    except PortalError as error:
        form.form_errors = [_refusal(error)]
        return _page(_person(learner.public_id), form, error.status)
    flash(text, "success")
    return redirect(url_for(".user", learner_id=learner.public_id), 303)


def _refusal(error: PortalError) -> str:
    texts = {
        "own_account": _("Another administrator has to do this: it is your own account or your own request."),
        "last_admin": _("This is the only administrator. Make another one first."),
        "changed_meanwhile": _("The account is not as you saw it any more. Look again; nothing was changed."),
    }
    return texts.get(error.code) or _("This did not work. Nothing was changed.")


@bp.post("/users/<learner_id>/role")
@staff_may(Permission.MANAGE_USERS)
@step_up
def change_role(learner_id: str) -> ResponseReturnValue:
    """Give a role; one that moves money or makes others staff waits for a second person."""
    learner, form = _person(learner_id), RoleForm(prefix="role-")

    def act() -> str:
        asked = roles.change_role(learner, Role(form.role.data), required_staff(), form.reason.data)
        if asked is not None:
            return _("Another administrator has to approve this now.")
        return _("The role is changed, and all sessions of the account have ended.")

    return _done(learner, form, act)


@bp.post("/users/<learner_id>/role-requests/<request_id>/<decision>")
@staff_may(Permission.MANAGE_USERS)
@step_up
def decide_role(learner_id: str, request_id: str, decision: str) -> ResponseReturnValue:
    """Approve or refuse what another asked for."""
    learner = _person(learner_id)
    form = ActForm(prefix="refuse-" if "refuse-form_token" in request.form else "decide-")
    if not _ID.fullmatch(request_id) or decision not in {"approve", "refuse"}:
        raise NotFound

    def act() -> str:
        approves = decision == "approve"
        roles.decide_request(learner, request_id, approves, required_staff(), form.reason.data)
        return _("The role is approved.") if approves else _("The request is refused.")

    return _done(learner, form, act)


def _disable(learner: Learner, reason: str) -> str:
    if learner.id == required_staff().id:
        raise roles.OwnAccount
    roles.disable(learner, staff_actor(required_staff()), reason)
    return _("The account is closed.")


def _enable(learner: Learner, reason: str) -> str:
    roles.enable(learner, staff_actor(required_staff()), reason)
    return _("The account is open again.")


def _end_sessions(learner: Learner, reason: str) -> str:
    roles.end_sessions(learner, staff_actor(required_staff()), reason)
    return _("The account is signed out everywhere.")


def _reset_phone(learner: Learner, reason: str) -> str:
    if learner.id == required_staff().id:
        raise roles.OwnAccount
    second_factor.reset(learner, staff_actor(required_staff()), reason)
    return _("The second factor is taken away. The next sign-in sets up a new one.")


_ACTS: dict[str, Callable[[Learner, str], str]] = {
    "disable": _disable,
    "enable": _enable,
    "sign-out": _end_sessions,
    "reset-phone": _reset_phone,
    "decide": lambda _learner, _reason: "",
}


@bp.post("/users/<learner_id>/<act>")
@staff_may(Permission.MANAGE_USERS)
@step_up
def act_on_user(learner_id: str, act: str) -> ResponseReturnValue:
    """Close or open the account, end its sessions, or take its second factor away."""
    if act not in _ACTS:
        raise NotFound
    learner, form = _person(learner_id), ActForm(prefix=f"{act}-")
    return _done(learner, form, lambda: _ACTS[act](learner, form.reason.data))


@bp.post("/users/<learner_id>/courses")
@staff_may(Permission.MANAGE_USERS)
@step_up
def change_courses(learner_id: str) -> ResponseReturnValue:
    """Say which courses an instructor teaches."""
    learner, form = _person(learner_id), CoursesForm(prefix="courses-")
    form.course_ids.choices = _course_choices()

    def act() -> str:
        chosen = form.course_ids.data or []
        roles.set_courses(learner, chosen, staff_actor(required_staff()), form.reason.data)
        return _("The courses are kept.")

    return _done(learner, form, act)
