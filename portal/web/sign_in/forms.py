"""What is typed into the doors of an account. Rules that a room enforces are not repeated here."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, Field, PasswordField
from wtforms.validators import DataRequired

_EMAIL_MISSING = _l("Enter your e-mail address.")
_EMAIL_HINTS = {
    "autocomplete": "username",
    "maxlength": "254",
    "spellcheck": "false",
    "autocapitalize": "none",
}


def add_error(field: Field, text: str) -> None:
    """Show `text` at a field: what a room found wrong with it."""
    field.errors = [*field.errors, text]


class AddressForm(FlaskForm):
    """The address of an account."""

    email = EmailField(
        _l("E-mail address"),
        [DataRequired(_EMAIL_MISSING)],
        render_kw=_EMAIL_HINTS,
    )


class LoginForm(AddressForm):
    """Address and password."""

    password = PasswordField(
        _l("Password"),
        [DataRequired(_l("Enter your password."))],
        render_kw={"autocomplete": "current-password"},
    )


class RegisterForm(AddressForm):
    """Address and a password to be; asked for once, because it can be shown and mailed anew."""

    password = PasswordField(
        _l("Password"),
        [DataRequired(_l("Choose a password."))],
        render_kw={"autocomplete": "new-password"},
    )


class ResetForm(FlaskForm):
    """The new password."""

    password = PasswordField(
        _l("New password"),
        [DataRequired(_l("Choose a password."))],
        render_kw={"autocomplete": "new-password"},
    )
