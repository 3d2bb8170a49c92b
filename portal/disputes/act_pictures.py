"""Pictures of replies: kept with the reply, uploaded by the worker before it, and forgotten after."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.disputes.models import DisputeActPicture
from portal.gateways.base import GatewayUnknown
from portal.gateways.complaints import MOST_PICTURES, ComplaintDesk, picture_of
from portal.kit import clock
from portal.kit.db import add_row, db, transactional
from portal.kit.errors import Invalid

# A claim of the outbox is for a minute; whoever needs longer goes on at the next try.
_TURN = timedelta(seconds=20)


class BadPicture(Invalid):
    """More than 4 pictures, or one that is no PNG, JPEG or BMP of at most 2 MiB."""

    code = "bad_picture"


def check_pictures(contents: Sequence[bytes]) -> None:
    """Check what is to be sent.

    Raises:
        BadPicture.
    """
    if len(contents) > MOST_PICTURES or any(picture_of(content) is None for content in contents):
        raise BadPicture(f"at most {MOST_PICTURES} pictures of at most 2 MiB")


def keep_pictures(act_id: int, contents: Sequence[bytes]) -> None:
    """Keep the pictures of a reply, in the running transaction."""
    for number, content in enumerate(contents, 1):
        add_row(DisputeActPicture, act_id=act_id, number=number, content=content)


def upload_pictures(act_id: int, desk: ComplaintDesk) -> list[str]:
    """Upload what is not at the gateway yet, and return the ids of all pictures of a reply.

    Raises:
        GatewayRejected, GatewayUnknown: not all are there; the next try goes on with the rest.
    """
    until = clock.now() + _TURN
    for picture_id in db.session.scalars(_of(act_id, DisputeActPicture.media_id.is_(None))).all():
        if clock.now() >= until:
            raise GatewayUnknown("pictures go on")
        content = db.session.scalar(
            sa.select(DisputeActPicture.content).where(DisputeActPicture.id == picture_id)
        )
        picture = picture_of(content or b"")
        assert picture is not None
        _note_upload(picture_id, desk.upload(picture))
    media_ids = sa.select(DisputeActPicture.media_id).where(DisputeActPicture.act_id == act_id)
    return [
        media_id for media_id in db.session.scalars(media_ids.order_by(DisputeActPicture.number)) if media_id
    ]


def _of(act_id: int, condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    mine = sa.select(DisputeActPicture.id).where(DisputeActPicture.act_id == act_id, condition)
    return mine.order_by(DisputeActPicture.number)


@transactional
def _note_upload(picture_id: int, media_id: str) -> None:
    _change(DisputeActPicture.id == picture_id, media_id=media_id)


def forget_contents(act_id: int) -> None:
    """Forget the bytes of a reply that has come to its end, in the running transaction."""
    _change(DisputeActPicture.act_id == act_id, content=None)


def _change(condition: sa.ColumnElement[bool], **values: object) -> None:
    db.session.execute(
        sa.update(DisputeActPicture)
        .where(condition)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
