"""What can be changed in an account."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired

from portal.learners.models import Locale


class LanguageForm(FlaskForm):
    """The language of pages and mails; each is written in itself."""

    locale = SelectField(
        _l("Language of pages and e-mails"),
        choices=[SelectChoice(Locale.ZH.value, "简体中文"), SelectChoice(Locale.EN.value, "English")],
    )


class PasswordForm(FlaskForm):
    """The password, and the one that takes its place."""

    old_password = PasswordField(
        _l("Current password"),
        [DataRequired(_l("Enter your current password."))],
        render_kw={"autocomplete": "current-password"},
    )
    new_password = PasswordField(
        _l("New password"),
        [DataRequired(_l("Choose a new password."))],
        render_kw={"autocomplete": "new-password"},
    )
