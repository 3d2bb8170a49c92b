"""The forms of `/admin/confirmations`, and of a course's offer to be paid by transfer."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, Regexp

from portal.catalogue.models import OfferMode
from portal.web.admin.forms import is_one_line, is_published, tidied
from portal.web.uploads import PictureField


class ReceivedForm(FlaskForm):
    """What came: as the receiver's WeChat shows it."""

    # ASCII digits only: `1e2`, `１００` and `+5` are no amounts.
    amount = StringField(
        _l("Amount that came, in yuan"),
        [
            InputRequired(_l("Enter an amount.")),
            Regexp(r"^[0-9]{1,9}(\.[0-9]{1,2})?\Z", message=_l("Write an amount like 99 or 99.00.")),
        ],
        render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": "12"},
    )
    number = StringField(
        _l("Number of the transfer"),
        [
            InputRequired(_l("Enter the number of the transfer.")),
            Regexp(r"^[0-9A-Za-z-]{6,64}\Z", message=_l("Write 6 to 64 letters and digits.")),
        ],
        filters=[tidied],
        render_kw={"autocomplete": "off", "maxlength": "64"},
    )
    picture = PictureField(_l("Picture of the receipt"))


class WhyForm(FlaskForm):
    """Why a transfer is refused, or what was entered is taken back."""

    reason = StringField(
        _l("Reason"),
        [InputRequired(_l("Give a reason.")), is_published],
        filters=[tidied],
        render_kw={"maxlength": "200", "autocomplete": "off"},
    )


class ReturnedForm(FlaskForm):
    """The transfer that gave money back."""

    number = StringField(
        _l("Number of the transfer back"),
        [
            InputRequired(_l("Enter the number of the transfer.")),
            Regexp(r"^[0-9A-Za-z-]{6,32}\Z", message=_l("Write 6 to 32 letters and digits.")),
        ],
        filters=[tidied],
        render_kw={"autocomplete": "off", "maxlength": "32"},
    )


def _note(label: Any) -> StringField:
    return StringField(
        label,
        [Optional(), Length(max=500, message=str(_l("Write at most 500 characters."))), is_one_line],
        filters=[tidied],
    )


class OfferForm(FlaskForm):
    """Whether a course is sold by transfer, and to whom; `version` is that of the offer on the page."""

    mode = RadioField(
        _l("How the course is paid"),
        choices=[
            SelectChoice(OfferMode.OFF.value, _l("By WeChat Pay")),
            SelectChoice(
                OfferMode.BESIDE.value, _l("By WeChat Pay, or by transfer to the instructor's WeChat")
            ),
            SelectChoice(OfferMode.ONLY.value, _l("Only by transfer to the instructor's WeChat")),
        ],
    )
    receiver = StringField(
        _l("WeChat name of the receiver"),
        [Optional(), Length(max=60, message=_l("Write at most 60 characters.")), is_one_line],
        filters=[tidied],
        render_kw={"maxlength": "60", "autocomplete": "off"},
    )
    picture = PictureField(_l("The receiver's own code"))
    note_zh = _note(_l("Note in Chinese"))
    note_en = _note(_l("Note in English"))
    version = HiddenField(validators=[Regexp(r"^\d{1,9}$", message=_l("Open the form anew."))])
