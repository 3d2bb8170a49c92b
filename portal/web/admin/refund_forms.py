"""The forms of `/admin/refunds`."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Regexp

from portal.kit import ids
from portal.refunds.models import LicenseEffect
from portal.web.admin.forms import is_readable, tidied


class NewRefundForm(FlaskForm):
    """What goes back: of which payment, how much, what becomes of the license, and why."""

    out_trade_no = RadioField(_l("Payment number"), validators=[InputRequired(_l("Choose a payment."))])
    # ASCII digits only: `1e2`, `１００` and `+5` are no amounts.
    amount = StringField(
        _l("Amount in yuan"),
        [
            InputRequired(_l("Enter an amount.")),
            Regexp(r"^[0-9]{1,9}(\.[0-9]{1,2})?\Z", message=_l("Write an amount like 99 or 99.00.")),
        ],
        render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": "12"},
    )
    effect = RadioField(
        _l("When a part goes back, the license"),
        choices=[
            SelectChoice(LicenseEffect.KEEP.value, _l("stays valid")),
            SelectChoice(LicenseEffect.REVOKE.value, _l("ends")),
        ],
        default=LicenseEffect.KEEP.value,
    )
    reason = StringField(
        _l("Reason"),
        [
            InputRequired(_l("Give a reason.")),
            Length(2, 80, _l("Give a reason of 2 to 80 characters.")),
            is_readable,
        ],
        filters=[tidied],
        render_kw={"maxlength": "80", "autocomplete": "off"},
    )
    form_token = HiddenField(
        default=ids.new_public_id,
        validators=[InputRequired(), Regexp(r"^[0-9a-z]{20}\Z", message=_l("Open the form anew."))],
    )


class NoteForm(FlaskForm):
    """Why a refund is refused or given up."""

    note = StringField(
        _l("Reason"),
        [
            InputRequired(_l("Give a reason.")),
            Length(2, 200, _l("Give a reason of 2 to 200 characters.")),
            is_readable,
        ],
        filters=[tidied],
        render_kw={"maxlength": "200", "autocomplete": "off"},
    )
