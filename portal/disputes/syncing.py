"""Copy complaints from the gateway: one after each notification, all of the last 30 days every hour."""

import logging
from datetime import timedelta

import sqlalchemy as sa

from portal.disputes.keeping import keep
from portal.disputes.models import Dispute
from portal.gateways.complaints import Complaint, ComplaintNotice, ComplaintState
from portal.kit import beijing, clock, ids
from portal.kit.db import db, transactional
from portal.outbox import services as outbox
from portal.tools import Tools

log = logging.getLogger(__name__)

_SPAN = timedelta(days=29)
"""The gateway lists 30 days at once (merchant/4012467215)."""
_EVERY = timedelta(hours=1)


def note_news(notice: ComplaintNotice, event_id: str) -> None:
    """Put on record, in the running transaction, that a complaint is to be read."""
    _plan(notice.gateway, notice.complaint_id, event_id)


def _plan(gateway: str, complaint_id: str, cause: str) -> None:
    # The key has the gateway in it, for `gateway_of`; a cause is too long to stand there as it is.
    key = f"sync_dispute:{gateway}:{ids.secret_hash(f'{complaint_id}:{cause}')[:40]}"
    if not outbox.is_recorded(key):
        outbox.add("sync_dispute", key, complaint_id)


def gateway_of(effect_key: str) -> str:
    """Return the gateway that work of this room is about."""
    return effect_key.split(":")[1]


def sync_dispute(gateway: str, complaint_id: str, tools: Tools) -> int:
    """Read a complaint with its history, keep it, and return the dispute's id.

    Raises:
        GatewayRejected, GatewayUnknown: there is no answer; what is kept stays.
    """
    desk = tools.gateway(gateway).complaints
    asked_at = clock.now()
    complaint = desk.complaint(complaint_id)
    return keep(complaint, desk.history(complaint_id), asked_at)


def plan_sync(tools: Tools) -> int:
    """Put the hour's look at all complaints on record, unless it is; return for how many gateways it was put."""
    hour = int(clock.now().timestamp() // _EVERY.total_seconds())
    return sum(_plan_hour(gateway, hour) for gateway in tools.gateways)


@transactional
def _plan_hour(gateway: str, hour: int) -> bool:
    key = f"sync_disputes:{gateway}:{hour}"
    if outbox.is_recorded(key):
        return False
    outbox.add("sync_disputes", key, gateway)
    return True


def look_at_all(gateway: str, cause: str, tools: Tools) -> int:
    """List the complaints of the last 30 days, and plan to read what is new, changed or still open.

    Args:
        cause: names this look; one look reads a complaint once.

    Returns:
        how many are to be read.

    Raises:
        GatewayRejected, GatewayUnknown: the list did not come whole; nothing was planned.
    """
    today = beijing.day_of(clock.now())
    listed = list(tools.gateway(gateway).complaints.listed(today - _SPAN, today))
    return _plan_all(gateway, tools.gateway(gateway).mchid, listed, cause)


@transactional
def _plan_all(gateway: str, mchid: str, listed: list[Complaint], cause: str) -> int:
    mine = sa.select(Dispute.complaint_id).where(Dispute.gateway == gateway, Dispute.mchid == mchid)
    wanted = set(db.session.scalars(mine.where(Dispute.state != ComplaintState.PROCESSED.value)))
    wanted |= {complaint.complaint_id for complaint in listed if not _is_known(complaint)}
    for complaint_id in sorted(wanted):
        _plan(gateway, complaint_id, cause)
    return len(wanted)


def _is_known(complaint: Complaint) -> bool:
    """Tell whether the dispute is kept just as it was listed."""
    row = db.session.execute(
        sa.select(Dispute.state, Dispute.times, Dispute.is_waiting, Dispute.is_refunded).where(
            Dispute.gateway == complaint.gateway,
            Dispute.mchid == complaint.mchid,
            Dispute.complaint_id == complaint.complaint_id,
        )
    ).first()
    told = (complaint.state, complaint.times, complaint.is_waiting, complaint.is_refunded)
    return row is not None and tuple(row) == told


def keep_notify_url(gateway: str, tools: Tools) -> None:
    """Ask the gateway to tell of complaints, if it tells nobody yet. Another's address is never replaced.

    Raises:
        GatewayRejected, GatewayUnknown.
    """
    desk, ours = tools.gateway(gateway).complaints, notify_url(tools)
    known = desk.notify_url()
    if known is None:
        desk.set_notify_url(ours, is_first=True)
    elif known != ours:
        log.warning("complaints are told elsewhere", extra={"gateway": gateway, "url": known[:200]})


def notify_url(tools: Tools) -> str:
    """Return our address for news of complaints, the same as for payments."""
    return f"{tools.settings.PORTAL_BASE_URL}/notify/wechat"
