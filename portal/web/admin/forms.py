"""What forms of the admin have in common."""

import unicodedata
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    NumberRange,
    Optional,
    Regexp,
    ValidationError,
)

from portal.kit import ids
from portal.payments.rights import BadReason, checked_reason

_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def tidied(text: str | None) -> str | None:
    """Return typed text in the form that is stored: NFC, with no blanks around it."""
    return None if text is None else unicodedata.normalize("NFC", text.strip())


def is_readable(_form: Any, field: Field) -> None:
    """Refuse control characters (but line breaks) and what turns the direction of a text around."""
    for character in field.data or "":
        is_control = unicodedata.category(character) in {"Cc", "Cs"} and character not in "\r\n\t"
        if is_control or character in _BIDI_OVERRIDES:
            raise ValidationError(str(_l("This contains characters that cannot be seen.")))


class ActForm(FlaskForm):
    """A form that changes something: with a reason, and a token that is the same when it is sent twice.

    Use `form_token` where an act has no natural key of its own: in a column with a unique key.
    """

    reason = TextAreaField(
        _l("Reason"),
        [
            InputRequired(_l("Give a reason.")),
            Length(3, 500, _l("Give a reason of 3 to 500 characters.")),
            is_readable,
        ],
        filters=[tidied],
        render_kw={"rows": 3, "maxlength": "500"},
    )
    form_token = HiddenField(
        default=ids.new_public_id,
        validators=[InputRequired(), Regexp(r"^[0-9a-z]{20}$", message=_l("Open the form anew."))],
    )


def is_published(_form: Any, field: Field) -> None:
    """Refuse a reason that could not be shown to learners and editors: one line, without markup."""
    try:
        checked_reason(field.data or "")
    except BadReason:
        raise ValidationError(
            str(_l("Give a reason of one line, 3 to 200 characters, without quotation marks, <, > or &."))
        ) from None


class LicenseActForm(ActForm):
    """An act on a license: the learner may be told its reason."""

    reason = StringField(_l("Reason"), [InputRequired(_l("Give a reason.")), is_published], filters=[tidied])


_DAYS = NumberRange(1, 3660, _l("Days are a whole number from 1 to 3660."))


class _PlainNumberField(IntegerField):
    """A whole number of ASCII digits: Python reads more than that as one."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist and valuelist[0].strip():
            text = valuelist[0].strip()
            if not (text.isascii() and text.isdigit() and len(text) < 10):
                self.data = None
                raise ValueError(str(_l("Give a whole number.")))
            self.data = int(text)


class DaysForm(LicenseActForm):
    """How much longer a license lasts."""

    days = _PlainNumberField(_l("Days"), [InputRequired(_l("Give the number of days.")), _DAYS])


class GrantForm(LicenseActForm):
    """A license for one learner."""

    email = StringField(
        _l("E-mail address of the learner"),
        [InputRequired(_l("Give the address.")), Length(max=254)],
        filters=[tidied],
    )
    course_id = SelectField(_l("Course"))
    days = _PlainNumberField(_l("Days"), [Optional(), _DAYS])
    reference = StringField(_l("Transaction number"), [Optional(), Length(max=64)], filters=[tidied])


class BulkForm(LicenseActForm):
    """A list of licenses."""

    list = TextAreaField(_l("List"), [DataRequired(_l("Choose a file or paste a list."))])
