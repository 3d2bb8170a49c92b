"""The settings of an account: language and password."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext, refresh

from portal.learners import services
from portal.learners.models import Locale
from portal.learners.passwords import WeakPassword
from portal.learners.throttle import TooManyTries
from portal.web.account.forms import LanguageForm, PasswordForm
from portal.web.account.views import bp
from portal.web.auth import forget_reader, login_required, required_learner, required_reader
from portal.web.password_words import password_hint, weakness_text


def _page(form: LanguageForm | PasswordForm | None = None, status: int = 200) -> ResponseReturnValue:
    """Draw both forms; `form` is the one that was sent, with what is wrong in it."""
    kept = LanguageForm(formdata=None, locale=required_learner().locale)
    language_form = form if isinstance(form, LanguageForm) else kept
    password_form = form if isinstance(form, PasswordForm) else PasswordForm(formdata=None)
    page = render_template(
        "account/settings.html",
        form=form,
        language_form=language_form,
        password_form=password_form,
        password_hint=password_hint(),
        email=required_learner().email,
    )
    return page, status


@bp.get("/settings")
@login_required
def settings() -> ResponseReturnValue:
    """Show the settings."""
    return _page()


@bp.post("/settings/language")
@login_required
def change_language() -> ResponseReturnValue:
    """Change the language of pages and mails."""
    form = LanguageForm()
    if not form.validate_on_submit():
        return _page(form, 422)
    services.change_locale(required_learner(), Locale(form.locale.data))
    forget_reader()
    refresh()  # the message below is read in the new language
    flash(_("Your language is set."), "success")
    return redirect(url_for(".settings"), 303)


@bp.post("/settings/password")
@login_required
def change_password() -> ResponseReturnValue:
    """Change the password, and sign out everywhere else."""
    form = PasswordForm()
    if not form.validate_on_submit():
        return _page(form, 422)
    try:
        services.change_password(
            required_learner(), form.old_password.data, form.new_password.data, required_reader().session_id
        )
    except services.BadCredentials:
        form.old_password.errors = [_("This is not your current password.")]
        return _page(form, 422)
    except WeakPassword as error:
        form.new_password.errors = [weakness_text(error.weakness)]
        return _page(form, 422)
    except TooManyTries as error:
        minutes = -(-error.retry_after // 60)
        form.old_password.errors = [
            ngettext(
                "Too many wrong passwords. Try again in %(num)s minute.",
                "Too many wrong passwords. Try again in %(num)s minutes.",
                minutes,
            )
        ]
        return _page(form, error.status)
    flash(_("Your password is changed. All other browsers are signed out."), "success")
    return redirect(url_for(".settings"), 303)
