"""A picture in a form, and its way back to a reader."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, make_response
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField
from wtforms.validators import ValidationError

from portal.pictures.formats import LARGEST, NotAPicture, Stripped, strip
from portal.pictures.models import Picture
from portal.web.body_size import takes_up_to

View = TypeVar("View", bound=Callable[..., Any])
# The other fields of the form, and what stands between the parts.
_BESIDE = 64 * 1024


class PictureField(FileField):
    """A picture, or nothing; `stripped` is what of it may be kept."""

    stripped: Stripped | None = None

    def __init__(self, label: Any, **options: Any) -> None:
        super().__init__(label, render_kw={"accept": "image/png,image/jpeg,image/webp"}, **options)

    def pre_validate(self, _form: Any) -> None:
        """Take the picture apart, if one was sent."""
        # Chosen and empty is no file at all to a browser.
        if not self.data:
            return
        try:
            self.stripped = strip(self.data.read(LARGEST + 1))
        except NotAPicture:
            raise ValidationError(
                str(_l("Choose a PNG, JPEG or WebP picture of at most 2 MiB and 16 to 8000 pixels a side."))
            ) from None


def takes_picture(view: View) -> View:
    """Let a view take the body of a form with one picture."""
    return takes_up_to(LARGEST + _BESIDE)(view)


def picture_response(picture: Picture) -> Response:
    """Return a picture to its reader and to nobody else."""
    response = make_response(picture.content)
    response.headers["Content-Type"] = picture.media_type
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Disposition"] = f'inline; filename="{picture.sha256[:16]}"'
    response.headers["Cache-Control"] = "no-store"
    return response
