"""Show the second factor, set it up, and look after it."""

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kit import clock
from portal.kit.errors import NotFound
from portal.learners.throttle import TooManyTries
from portal.payments.qr import draw_qr
from portal.staff import second_factor as factors
from portal.staff import totp
from portal.staff.permissions import Permission
from portal.web.admin.door import bp
from portal.web.auth import renew_session, required_session, safe_next
from portal.web.staff import CODE_FIELD, enter_code, locked_text, required_staff, staff_may, step_up
from portal.web.tools import tools

_HOME = "/admin"


def _next_page() -> str:
    return safe_next(request.args.get("next"), _HOME)


def _confirm_page(error: str | None = None, status: int = 200) -> Response:
    target = url_for(".confirm", next=_next_page())
    page = render_template("admin/confirm.html", kept=[], target=target, error=error)
    return make_response(page, status)


@bp.route("/confirm", methods=["GET", "POST"])
@staff_may(Permission.ENTER, asks_second_factor=False)
def confirm() -> ResponseReturnValue:
    """Ask for a code, and go on to where one was going."""
    if not factors.is_set_up(required_staff()):
        return redirect(url_for(".set_up_second_factor", next=_next_page()), 303)
    if request.method == "GET":
        return _confirm_page()
    code = request.form.get(CODE_FIELD, "")
    if not code.strip():
        return _confirm_page(_("Enter the code that your app shows."), 422)
    if problem := enter_code(code):
        return _confirm_page(*problem)
    return redirect(_next_page(), 303)


def _must_confirm_first() -> bool:
    """Tell whether a person who has a second factor has not just shown it: a new one needs the old one."""
    return factors.is_set_up(required_staff()) and not factors.is_fresh(required_session())


def _set_up_page(error: str | None = None, status: int = 200) -> Response:
    seed = factors.pending_seed(required_staff(), required_session(), tools().seeds)
    page = render_template(
        "admin/second_factor/set_up.html",
        secret=totp.seed_text(seed),
        account=required_staff().email,
        target=url_for(".set_up_second_factor", next=_next_page()),
        error=error,
    )
    return make_response(page, status)


@bp.route("/second-factor/set-up", methods=["GET", "POST"])
@staff_may(Permission.ENTER, asks_second_factor=False)
def set_up_second_factor() -> ResponseReturnValue:
    """Show a new seed; put it into use with its first code, and show the recovery codes once."""
    if _must_confirm_first():
        here = url_for(".set_up_second_factor", next=_next_page())
        return redirect(url_for(".confirm", next=here), 303)
    if request.method == "GET":
        return _set_up_page()
    learner = required_staff()
    try:
        codes = factors.set_up(learner, required_session(), request.form.get(CODE_FIELD, ""), tools().seeds)
    except factors.NotSetUp:
        return _set_up_page(_("Here is a new secret: the one before is not good any more."), 409)
    except factors.WrongCode:
        return _set_up_page(_("This is not the code of now. Is the clock of your phone right?"), 422)
    except TooManyTries as error:
        return _set_up_page(locked_text(error.retry_after), error.status)
    renew_session(clock.now())
    return _codes_page(codes, _next_page())


def _codes_page(codes: list[str], next_page: str) -> Response:
    return make_response(
        render_template("admin/second_factor/recovery_codes.html", codes=codes, next=next_page)
    )


@bp.get("/second-factor/qr.svg")
@staff_may(Permission.ENTER, asks_second_factor=False)
def second_factor_qr() -> Response:
    """Draw the seed that waits for its first code in this session."""
    if _must_confirm_first():
        raise NotFound
    learner = required_staff()
    seed = factors.pending_seed(learner, required_session(), tools().seeds)
    return Response(draw_qr(totp.seed_uri(seed, learner.email)), mimetype="image/svg+xml")


@bp.get("/second-factor")
@staff_may(Permission.ENTER)
def second_factor() -> str:
    """Show how many recovery codes are left, and the way to a new phone."""
    return render_template(
        "admin/second_factor/show.html", left=factors.recovery_codes_left(required_staff())
    )


@bp.post("/second-factor/recovery-codes")
@staff_may(Permission.ENTER)
@step_up
def new_recovery_codes() -> ResponseReturnValue:
    """Replace the recovery codes, and show the new ones once."""
    codes = factors.new_recovery_codes(required_staff())
    flash(_("The former recovery codes are void."), "success")
    return _codes_page(codes, url_for(".second_factor"))
