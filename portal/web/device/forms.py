"""What is typed to connect an editor."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired


class CodeForm(FlaskForm):
    """The code that the editor shows."""

    user_code = StringField(
        _l("Code"),
        [DataRequired(_l("Enter the code that your editor shows."))],
        render_kw={
            "autocomplete": "off",
            "autocapitalize": "characters",
            "spellcheck": "false",
            "maxlength": "32",
            "class": "device-code",
        },
    )
