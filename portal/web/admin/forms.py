"""What forms of the admin have in common."""

import unicodedata
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, TextAreaField
from wtforms.validators import InputRequired, Length, Regexp, ValidationError

from portal.kit import ids

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
