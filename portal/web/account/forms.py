"""What can be changed in an account."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from portal.learners.models import Locale


class LanguageForm(FlaskForm):
    """The language of pages and mails; each is written in itself."""

    locale = SelectField(
        _l("Language of pages and e-mails"),
        choices=[SelectChoice(Locale.ZH.value, "简体中文"), SelectChoice(Locale.EN.value, "English")],
    )


class RefundForm(FlaskForm):
    """Why the money is wanted back. `key` makes the form sent twice one request."""

    key = HiddenField(validators=[Regexp(r"^[0-9a-f-]{36}\Z")])
    kind = SelectField(
        _l("Why do you want your money back?"),
        choices=[
            SelectChoice("", _l("Please choose")),
            SelectChoice("mistake", _l("Bought by mistake")),
            SelectChoice("not_as_expected", _l("The course is not what I expected")),
            SelectChoice("does_not_work", _l("It does not work for me")),
            SelectChoice("paid_twice", _l("I paid more than once")),
            SelectChoice("other", _l("Another reason")),
        ],
        validators=[InputRequired(_l("Choose a reason."))],
    )
    text = StringField(
        _l("In your words"),
        [Length(max=150, message=_l("Write at most 150 characters."))],
        render_kw={"autocomplete": "off"},
    )

    @property
    def reason(self) -> str:
        """The reason as one line, in the learner's language."""
        chosen = str(dict(self._choices())[self.kind.data])
        text = str(self.text.data or "").strip()
        return f"{chosen}: {text}" if text else chosen

    def _choices(self) -> list[tuple[str, object]]:
        return [(choice.value, choice.label) for choice in self.kind.choices]


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
