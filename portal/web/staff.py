"""Which staff may open a view, and what is asked of them first: a second factor, or a fresh code of it."""

import functools
from collections.abc import Callable
from typing import Any, cast

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.kit import clock
from portal.kit.errors import PortalError
from portal.learners.models import Learner
from portal.learners.sessions import note_second_factor
from portal.learners.throttle import TooManyTries
from portal.staff import second_factor
from portal.staff.permissions import Permission, Scope, may, scope_of
from portal.web.auth import (
    ask_to_sign_in,
    is_asked_by_script,
    page_before,
    reader,
    renew_session,
    required_learner,
    required_session,
)
from portal.web.tools import tools

View = Callable[..., Any]
CODE_FIELD = "second_factor_code"
_CHOSEN_FIELD = "chosen_file"
"""Names the fields of a kept form in which a file was chosen: a page cannot send a file on."""


class Forbidden(PortalError):
    """Signed in, and without the right to do this."""

    status = 403
    code = "forbidden"


class SecondFactorRequired(Forbidden):
    """A script asks in a session in which no code of the second factor was entered."""

    code = "second_factor_required"


class StepUpRequired(Forbidden):
    """A script asks for something that needs a code not older than five minutes."""

    code = "step_up_required"


def staff_may(permission: Permission, *, asks_second_factor: bool = True) -> Callable[[View], View]:
    """Open a view to staff with `permission`, once their second factor was shown in this session.

    `asks_second_factor` is false for the pages on which it is shown or set up.
    """

    def guard(view: View) -> View:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            known = reader()
            if known is None:
                return ask_to_sign_in()
            if not may(known, permission):
                raise Forbidden
            if asks_second_factor and known.second_factor_at is None:
                return _ask_for_code(SecondFactorRequired)
            return view(*args, **kwargs)

        cast(Any, guarded).permission = permission
        return guarded

    return guard


def step_up(view: View) -> View:
    """Ask for a code that is not older than five minutes before a view: money, keys, roles, exports.

    Goes below `staff_may`. A page is sent to `/admin/confirm` and comes back. A form may bring the code along
    (`code_field` in templates/components/admin.html); one without it is answered with a page that asks for
    the code and sends the same form again, so what was typed is not lost. A file has to be chosen again on that
    page: the view is not reached without one that was chosen before.
    """

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        code = request.form.get(CODE_FIELD, "")
        if code:
            if problem := enter_code(code):
                return _form_again(*problem)
        elif not second_factor.is_fresh(required_session()):
            if request.method in {"GET", "HEAD"}:
                return _ask_for_code(StepUpRequired)
            if is_asked_by_script():
                raise StepUpRequired
            return _form_again()
        if not _chosen_before() <= _sent_files():
            return _form_again(status=422, lacks_file=True)
        return view(*args, **kwargs)

    cast(Any, guarded).asks_fresh_code = True
    return guarded


def _ask_for_code(refusal: type[Forbidden]) -> ResponseReturnValue:
    if is_asked_by_script():
        raise refusal
    return redirect(url_for("admin.confirm", next=page_before()), 303)


def _chosen_before() -> set[str]:
    return set(request.form.getlist(_CHOSEN_FIELD))


def _sent_files() -> set[str]:
    # A browser sends a nameless file where none was chosen.
    return {name for name, upload in request.files.items(multi=True) if upload.filename}


def _form_again(
    error: str | None = None, status: int = 403, *, lacks_file: bool = False
) -> ResponseReturnValue:
    """Ask for a code or a file, and keep the form that was sent in hidden fields until it comes with that."""
    kept = [
        (name, value)
        for name, values in request.form.lists()
        for value in values
        if name not in {"csrf_token", CODE_FIELD, _CHOSEN_FIELD}
    ]
    page = render_template(
        "admin/confirm.html",
        kept=kept,
        target=request.full_path.removesuffix("?"),
        error=error,
        chosen=sorted(_chosen_before() | _sent_files()),
        chosen_field=_CHOSEN_FIELD,
        lacks_file=lacks_file,
    )
    return make_response(page, status)


def enter_code(code: str) -> tuple[str, int] | None:
    """Take a code of the second factor for this session; return what is wrong with it, and the status.

    The first code of a session begins a new one, so that a cookie stolen before is worth nothing.

    Raises:
        SignedOut: the session was ended while the code was looked at.
    """
    learner, entered_in = required_learner(), required_session()
    try:
        second_factor.check_code(learner, code, tools().seeds)
    except second_factor.WrongCode:
        return _("This code is wrong, or it was used before. Wait for the next one."), 422
    except TooManyTries as error:
        return locked_text(error.retry_after), error.status
    if entered_in.second_factor_at is None:
        renew_session(clock.now())
    else:
        note_second_factor(entered_in)
    return None


def locked_text(seconds: int) -> str:
    """Return how long codes are not looked at any more."""
    return ngettext(
        "Too many wrong codes. Try again in %(num)s minute.",
        "Too many wrong codes. Try again in %(num)s minutes.",
        -(-seconds // 60),
    )


def required_staff() -> Learner:
    """Return who of the staff is asking, for a view behind `staff_may`."""
    return required_learner()


def staff_key() -> str:
    """Return whose count the limit of a view behind `staff_may` is: each member of staff has one."""
    return f"staff:{required_staff().id}"


def scope(permission: Permission) -> Scope:
    """Return how far a permission of whoever is asking reaches, for a view behind `staff_may`.

    Raises:
        Forbidden: they do not have it.
    """
    found = scope_of(required_learner(), permission)
    if found is None:
        raise Forbidden
    return found
