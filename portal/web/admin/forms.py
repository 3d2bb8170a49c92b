"""What forms of the admin have in common."""

import unicodedata
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, HiddenField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    NumberRange,
    Optional,
    Regexp,
    ValidationError,
)

from portal.kit import ids, money
from portal.payments.rights import BadReason, checked_reason
from portal.switchboard.models import Switch

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


class CommentForm(ActForm):
    """What staff tell one another."""

    reason = TextAreaField(
        _l("Comment"),
        [
            InputRequired(_l("Write something.")),
            Length(3, 500, _l("Write 3 to 500 characters.")),
            is_readable,
        ],
        filters=[tidied],
        render_kw={"rows": 3, "maxlength": "500"},
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


class PlainNumberField(IntegerField):
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

    days = PlainNumberField(_l("Days"), [InputRequired(_l("Give the number of days.")), _DAYS])


class GrantForm(LicenseActForm):
    """A license for one learner."""

    email = StringField(
        _l("E-mail address of the learner"),
        [InputRequired(_l("Give the address.")), Length(max=254)],
        filters=[tidied],
    )
    course_id = SelectField(_l("Course"))
    days = PlainNumberField(_l("Days"), [Optional(), _DAYS])
    reference = StringField(_l("Transaction number"), [Optional(), Length(max=64)], filters=[tidied])


class BulkForm(LicenseActForm):
    """A list of licenses."""

    list = TextAreaField(_l("List"), [DataRequired(_l("Choose a file or paste a list."))])


def is_price(_form: Any, field: Field) -> None:
    """Refuse what is not an amount in yuan; money is read exactly, and only from plain digits."""
    try:
        amount = money.fen(field.data or "")
    except ValueError:
        amount = -1
    if not 0 <= amount <= _DEAREST_FEN:
        raise ValidationError(str(_l("Write the amount like 99 or 99.00.")))


_DEAREST_FEN = 100_000_000


def _line(label: Any) -> StringField:
    wrong = _l("Write 1 to 120 characters.")
    return StringField(label, [InputRequired(wrong), Length(1, 120, wrong), is_one_line], filters=[tidied])


def _paragraph(label: Any) -> TextAreaField:
    wrong = _l("Write 1 to 1000 characters.")
    return TextAreaField(
        label,
        [InputRequired(wrong), Length(1, 1000, wrong), is_readable],
        filters=[tidied],
        render_kw={"rows": 4},
    )


def is_one_line(form: Any, field: Field) -> None:
    """Refuse line breaks, and what `is_readable` refuses."""
    if any(character in "\r\n\t" for character in field.data or ""):
        raise ValidationError(str(_l("Write one line.")))
    is_readable(form, field)


def is_moment(_form: Any, field: Field) -> None:
    """Refuse what is not a moment as the page writes it."""
    try:
        moment = datetime.fromisoformat(field.data or "")
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() != timedelta(0):
        raise ValidationError(str(_l("Open the form anew.")))


class CourseForm(FlaskForm):
    """What can be changed of a course; `seen` is when it had been changed last."""

    title_zh = _line(_l("Title in Chinese"))
    title_en = _line(_l("Title in English"))
    summary_zh = _paragraph(_l("Summary in Chinese"))
    summary_en = _paragraph(_l("Summary in English"))
    price = StringField(
        _l("Price in yuan"), [InputRequired(_l("Give the price.")), is_price], filters=[tidied]
    )
    license_days = PlainNumberField(
        _l("Days a license lasts"), [InputRequired(_l("Give the number of days.")), NumberRange(1, 36_500)]
    )
    max_downloads = PlainNumberField(
        _l("Downloads of a license"), [InputRequired(_l("Give a whole number.")), NumberRange(1, 1000)]
    )
    is_on_sale = BooleanField(_l("On sale"))
    seen = HiddenField(validators=[InputRequired(), is_moment])


def _notice(label: Any) -> StringField:
    return StringField(
        label,
        [Length(max=300, message=str(_l("Write at most 300 characters."))), is_one_line],
        filters=[tidied],
    )


class SwitchForm(FlaskForm):
    """A switch with its texts; `version` is the one on the page."""

    is_on = BooleanField(_l("On"))
    text_zh = _notice(_l("Text in Chinese"))
    text_en = _notice(_l("Text in English"))
    version = HiddenField(validators=[Regexp(r"^\d{1,9}$", message=_l("Open the form anew."))])

    @classmethod
    def of(cls, switch: Switch | None, name: str) -> "SwitchForm":
        """Return the form of a switch as it stands; None: it was never turned."""
        return cls(
            formdata=None,
            prefix=f"{name}-",
            is_on=switch.is_on if switch else False,
            text_zh=switch.text_zh if switch else "",
            text_en=switch.text_en if switch else "",
            version=str(switch.version if switch else 0),
        )

    def validate(self, extra_validators: Any = None) -> bool:
        """Refuse to switch on what says nothing in one of the languages."""
        if not super().validate(extra_validators):
            return False
        for text in (self.text_zh, self.text_en):
            if self.is_on.data and not text.data:
                text.errors = [str(_l("Say it in both languages."))]
                return False
        return True
