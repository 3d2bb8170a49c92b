"""Keep a picture, return one, and forget one."""

import hashlib

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import add_row, db
from portal.kit.errors import NotFound
from portal.pictures.formats import Stripped
from portal.pictures.models import Picture


def keep_picture(stripped: Stripped) -> int:
    """Keep a picture, in the running transaction; return its row id."""
    return int(
        add_row(
            Picture,
            media_type=stripped.media_type.value,
            width=stripped.width,
            height=stripped.height,
            sha256=hashlib.sha256(stripped.content).hexdigest(),
            content=stripped.content,
            created_at=clock.now(),
        )
    )


def picture_of(picture_id: int | None) -> Picture:
    """Return a picture, for a caller who has found that the reader may see it.

    Raises:
        NotFound: there is none.
    """
    found = None if picture_id is None else db.session.get(Picture, picture_id)
    if found is None:
        raise NotFound
    return found


def forget_picture(picture_id: int) -> None:
    """Delete a picture that another has taken the place of, in the running transaction, once nothing names it."""
    db.session.execute(sa.delete(Picture).where(Picture.id == picture_id))
