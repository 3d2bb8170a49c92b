"""Register, sign in, sign out, and set a new password by a mailed link."""

import re
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from flask_wtf import FlaskForm

from portal.learners import addresses, resets, services
from portal.learners.addresses import BadAddress
from portal.learners.models import Locale
from portal.learners.passwords import WeakPassword
from portal.learners.sessions import SignedOut
from portal.learners.throttle import TooManyTries
from portal.web.auth import DEFAULT_PAGE, STAFF, reader, safe_next, sign_in, sign_out
from portal.web.csrf import FormExpired
from portal.web.errors import answer
from portal.web.limits import limiter, was_understood
from portal.web.password_words import password_hint, weakness_text
from portal.web.sign_in.forms import AddressForm, LoginForm, RegisterForm, ResetForm, add_error

bp = Blueprint("sign_in", __name__)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_FORMS: dict[str, type[FlaskForm]] = {
    "sign_in.login": LoginForm,
    "sign_in.register": RegisterForm,
    "sign_in.forgot": AddressForm,
    "sign_in.reset": ResetForm,
}


def _next_page() -> str:
    return safe_next(request.args.get("next"))


def _page(form: FlaskForm, status: int = 200) -> Response:
    """Draw the page of this endpoint; `next` goes with its links, unless it is where one lands anyway."""
    next_page = _next_page()
    page = render_template(
        f"{(request.endpoint or '').replace('.', '/')}.html",
        form=form,
        next=None if next_page == DEFAULT_PAGE else next_page,
        password_hint=password_hint(),
    )
    return make_response(page, status)


@bp.errorhandler(FormExpired)
def form_expired(error: FormExpired) -> Any:
    """Show the form again with what was typed (but passwords) and a fresh token."""
    if request.endpoint == "sign_in.logout" and reader() is None:
        return redirect(url_for("storefront.courses"), 303)
    if request.endpoint not in _FORMS:
        return answer(error.status, error.code)
    form = _FORMS[request.endpoint]()
    form.form_errors = [_("This form had been open for too long. Nothing was sent; please send it again.")]
    return _page(form, error.status)


@bp.route("/login", methods=["GET", "POST"])
@limiter.limit("30 per 15 minutes", methods=["POST"])
def login() -> ResponseReturnValue:
    """Sign in and go on to where one was going."""
    if request.method == "GET" and reader() is not None:
        return redirect(_next_page(), 303)
    form = LoginForm()
    if not form.validate_on_submit():
        return _page(form, 422 if form.is_submitted() else 200)
    try:
        learner = services.authenticate(form.email.data, form.password.data, request.remote_addr or "")
        sign_in(learner)
    except (services.BadCredentials, SignedOut):
        form.form_errors = [_("The e-mail address or the password is wrong.")]
        return _page(form, 422)
    except TooManyTries as error:
        form.form_errors = [_locked_text(error.retry_after)]
        response = _page(form, error.status)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    if learner.role in STAFF:
        return redirect(url_for("admin.confirm", next=safe_next(request.args.get("next"), "/admin")), 303)
    return redirect(_next_page(), 303)


def _locked_text(seconds: int) -> str:
    return ngettext(
        "Too many failed tries. Signing in with this address is possible again in %(num)s minute.",
        "Too many failed tries. Signing in with this address is possible again in %(num)s minutes.",
        -(-seconds // 60),
    )


@bp.route("/register", methods=["GET", "POST"])
@limiter.limit("30 per hour", methods=["POST"])
@limiter.limit("5 per hour", methods=["POST"], deduct_when=was_understood)
def register() -> ResponseReturnValue:
    """Make an account, and be signed in at once."""
    if request.method == "GET" and reader() is not None:
        return redirect(_next_page(), 303)
    form = RegisterForm()
    if not form.validate_on_submit():
        return _page(form, 422 if form.is_submitted() else 200)
    try:
        learner = services.register(form.email.data, form.password.data, Locale(str(get_locale())))
        sign_in(learner)
    except BadAddress:
        add_error(form.email, _bad_address_text())
        return _page(form, 422)
    except WeakPassword as error:
        add_error(form.password, weakness_text(error.weakness))
        return _page(form, 422)
    except (services.AddressTaken, SignedOut):
        form.form_errors = [
            _(
                "We could not create an account with this address. "
                "If it is yours, sign in or reset your password."
            )
        ]
        return _page(form, services.AddressTaken.status)
    return redirect(_next_page(), 303)


def _bad_address_text() -> str:
    return _("Enter an e-mail address like name@example.com, without special characters.")


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Sign out; doing it twice is the same."""
    sign_out()
    return redirect(url_for("storefront.courses"), 303)


@bp.route("/forgot", methods=["GET", "POST"])
@limiter.limit("30 per hour", methods=["POST"])
@limiter.limit("5 per hour", methods=["POST"], deduct_when=was_understood)
def forgot() -> ResponseReturnValue:
    """Have a link mailed, if the address has an account; the answer is the same if not."""
    form = AddressForm()
    if not form.validate_on_submit():
        return _page(form, 422 if form.is_submitted() else 200)
    try:
        address = addresses.checked(form.email.data)
    except BadAddress:
        add_error(form.email, _bad_address_text())
        return _page(form, 422)
    resets.request_reset(address)
    return render_template("sign_in/forgot_sent.html", address=addresses.masked(address))


@bp.route("/reset/<token>", methods=["GET", "POST"])
@limiter.limit("30 per 15 minutes", methods=["POST"])
def reset(token: str) -> ResponseReturnValue:
    """Set a new password by the link of a mail; only sending the form uses the link up."""
    form = ResetForm()
    try:
        if not _TOKEN.fullmatch(token):
            raise resets.LinkSpent
        if not form.validate_on_submit():
            resets.learner_of_link(token)
            return _page(form, 422 if form.is_submitted() else 200)
        resets.reset_password(token, form.password.data)
    except resets.LinkSpent as error:
        return render_template("sign_in/link_spent.html"), error.status
    except WeakPassword as error:
        add_error(form.password, weakness_text(error.weakness))
        return _page(form, 422)
    sign_out()
    flash(_("Your new password is set. You have been signed out everywhere; please sign in."), "success")
    return redirect(url_for(".login"), 303)
