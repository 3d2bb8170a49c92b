"""Whether a course is sold by transfer to its instructor, and to which code."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.catalogue.models import OfferMode, TransferOffer
from portal.catalogue.queries import course_of
from portal.catalogue.services import EditedByAnother
from portal.kit import clock
from portal.kit.db import changed_one, db, read, table_of, transactional
from portal.kit.errors import Invalid
from portal.pictures.formats import Stripped
from portal.pictures.models import Picture
from portal.pictures.services import keep_picture


class NoCode(Invalid):
    """A course cannot be sold by transfer without a receiver and the receiver's code."""

    code = "no_code"


@dataclass(frozen=True)
class OfferFacts:
    """What staff say of an offer. `picture` None: the code stays the one there is."""

    mode: OfferMode
    receiver: str
    note_zh: str
    note_en: str
    picture: Stripped | None


def offer_of(course_id: str) -> TransferOffer | None:
    """Return how a course is paid by transfer, switched on or not; None: that was never said."""
    return db.session.get(TransferOffer, course_id, populate_existing=True)


_offers = table_of(TransferOffer).c
_MODE = sa.select(_offers.mode).where(_offers.course_id == sa.bindparam("course"))


def mode_of(course_id: str) -> OfferMode:
    """Return whether a course is sold by transfer."""
    rows = read(_MODE, {"course": course_id})
    return OfferMode(rows[0].mode) if rows else OfferMode.OFF


def modes_of(course_ids: Collection[str]) -> dict[str, OfferMode]:
    """Return whether each of the courses is sold by transfer."""
    rows = db.session.execute(
        sa.select(TransferOffer.course_id, TransferOffer.mode).where(TransferOffer.course_id.in_(course_ids))
    )
    said = {course_id: OfferMode(mode) for course_id, mode in rows}
    return {course_id: said.get(course_id, OfferMode.OFF) for course_id in course_ids}


@transactional
def set_offer(course_id: str, facts: OfferFacts, seen: int, actor: str) -> None:
    """Say how a course is paid by transfer.

    Args:
        seen: the version of the offer on the page of whoever says it, 0 where there was none.

    Raises:
        NotFound: there is no such course.
        EditedByAnother: it was changed meanwhile; nothing was changed now.
        NoCode: it is to be switched on without a code or its receiver.
    """
    course = course_of(course_id)
    before = offer_of(course.id)
    picture_id = keep_picture(facts.picture) if facts.picture else (before.picture_id if before else None)
    if facts.mode is not OfferMode.OFF and (picture_id is None or not facts.receiver):
        raise NoCode
    values: dict[str, Any] = {
        "mode": facts.mode.value,
        "receiver": facts.receiver,
        "note_zh": facts.note_zh,
        "note_en": facts.note_en,
        "picture_id": picture_id,
    }
    old = {name: getattr(before, name) for name in values} if before else {}
    _write(course.id, seen, is_new=before is None, values=values)
    audit.record(
        "course.transfer_offer_set",
        f"course:{course.id}",
        actor,
        before=old,
        after=values,
        code_sha256=db.session.scalar(sa.select(Picture.sha256).where(Picture.id == picture_id)),
    )


def _write(course_id: str, seen: int, *, is_new: bool, values: dict[str, Any]) -> None:
    now = clock.now()
    if is_new:
        if seen:
            raise EditedByAnother
        db.session.add(TransferOffer(course_id=course_id, version=1, updated_at=now, **values))
        db.session.flush()
        return
    written = db.session.execute(
        sa.update(TransferOffer)
        .where(TransferOffer.course_id == course_id, TransferOffer.version == seen)
        .values(version=TransferOffer.version + 1, updated_at=now, **values)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(written):
        raise EditedByAnother
