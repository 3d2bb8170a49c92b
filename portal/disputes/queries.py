"""Read disputes: a page of them, and one with its history, its pictures and what was done."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from portal.audit import services as audit
from portal.disputes.models import Dispute, DisputeAct, DisputeActPicture, DisputeEntry, DisputePicture
from portal.gateways.complaints import ComplaintState, PhoneUnreadable, Picture
from portal.kit import ids
from portal.kit.db import db, transaction
from portal.kit.errors import Conflict, NotFound
from portal.kit.keyset import Place
from portal.tools import Tools


class NoPhone(Conflict):
    """The gateway gave no phone number, or one that our key does not open."""

    code = "no_phone"


@dataclass(frozen=True)
class DisputeFilter:
    """Which disputes are listed; `states` empty does not narrow. `after`: where the page before ended."""

    states: tuple[ComplaintState, ...] = ()
    after: Place | None = None


def disputes_page(wanted: DisputeFilter, limit: int) -> Sequence[Dispute]:
    """Return at most `limit` disputes, newest first."""
    query = sa.select(Dispute).order_by(Dispute.complained_at.desc(), Dispute.id.desc()).limit(limit)
    if wanted.states:
        query = query.where(Dispute.state.in_([state.value for state in wanted.states]))
    if wanted.after is not None:
        query = query.where(wanted.after.before(Dispute.complained_at, Dispute.id))
    return db.session.scalars(query).all()


def dispute_of(dispute_id: int) -> Dispute:
    """Return a dispute.

    Raises:
        NotFound: there is no such dispute.
    """
    found = db.session.get(Dispute, dispute_id, populate_existing=True) if ids.is_row_id(dispute_id) else None
    if found is None:
        raise NotFound
    return found


def entries_of(dispute_id: int) -> Sequence[DisputeEntry]:
    """Return the history of a dispute, newest first."""
    query = sa.select(DisputeEntry).where(DisputeEntry.dispute_id == dispute_id)
    return db.session.scalars(query.order_by(DisputeEntry.at.desc(), DisputeEntry.id.desc())).all()


def acts_of(dispute_id: int) -> Sequence[DisputeAct]:
    """Return what staff did about a dispute, in order."""
    query = sa.select(DisputeAct).where(DisputeAct.dispute_id == dispute_id)
    return db.session.scalars(query.order_by(DisputeAct.id)).all()


def act_picture_counts(dispute_id: int) -> dict[int, int]:
    """Return how many pictures each reply has, by the act's id; those without are not in it."""
    query = (
        sa.select(DisputeActPicture.act_id, sa.func.count())
        .join(DisputeAct, DisputeAct.id == DisputeActPicture.act_id)
        .where(DisputeAct.dispute_id == dispute_id)
        .group_by(DisputeActPicture.act_id)
    )
    return {row.act_id: row[1] for row in db.session.execute(query)}


def disputes_of_order(order_id: int) -> Sequence[Dispute]:
    """Return the complaints about an order, the oldest first."""
    query = sa.select(Dispute).where(Dispute.order_id == order_id)
    return db.session.scalars(query.order_by(Dispute.complained_at, Dispute.id)).all()


def most_urgent() -> tuple[int, Dispute | None]:
    """Return how many disputes are open, and the one whose next step is due first."""
    is_open = Dispute.state.in_([ComplaintState.PENDING.value, ComplaintState.PROCESSING.value])
    due_at = sa.case((Dispute.answered_at.is_(None), Dispute.first_due_at), else_=Dispute.done_due_at)
    count = db.session.scalar(sa.select(sa.func.count()).select_from(Dispute).where(is_open))
    first = sa.select(Dispute).where(is_open).order_by(due_at, Dispute.id).limit(1)
    return count or 0, db.session.scalars(first).first()


def picture_count(dispute_id: int) -> int:
    """Return how many pictures a dispute has."""
    query = sa.select(sa.func.count()).where(DisputePicture.dispute_id == dispute_id)
    return db.session.scalar(query) or 0


def picture_of(dispute_id: int, number: int, tools: Tools) -> Picture:
    """Fetch the picture with a number, from 1, from the gateway.

    Raises:
        NotFound: there is no such dispute or picture.
        GatewayRejected, GatewayUnknown: it is not to be had.
    """
    dispute = dispute_of(dispute_id)
    if not ids.is_row_id(number):
        raise NotFound
    media_id = db.session.scalar(
        sa.select(DisputePicture.media_id)
        .where(DisputePicture.dispute_id == dispute_id)
        .order_by(DisputePicture.id)
        .offset(number - 1)
        .limit(1)
    )
    if media_id is None:
        raise NotFound
    return tools.gateway(dispute.gateway).complaints.picture(media_id)


def phone_of(dispute_id: int, actor: str, tools: Tools) -> str:
    """Decrypt the payer's phone number, on record who saw it.

    Raises:
        NotFound: there is no such dispute.
        NoPhone: there is none that can be read.
    """
    dispute = dispute_of(dispute_id)
    if dispute.sealed_phone is None:
        raise NoPhone
    try:
        phone = tools.gateway(dispute.gateway).complaints.open_phone(dispute.sealed_phone)
    except PhoneUnreadable:
        raise NoPhone from None
    with transaction():
        audit.record("dispute.phone_seen", f"dispute:{dispute_id}", actor)
    return phone
