"""Keep a genuine notification and apply what it says, once."""

import sqlalchemy as sa

from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.disputes.syncing import note_news
from portal.gateways.base import PaymentNotice, RefundNotice, VerifiedNotification
from portal.gateways.complaints import ComplaintNotice
from portal.kit import clock, faults
from portal.kit.db import add_row, run, table_of, transactional
from portal.notifications.models import Notification
from portal.payments.models import Verdict, VerifiedBy
from portal.payments.settle import settle_payment
from portal.refunds.settle import settle_refund
from portal.tools import Tools

_notifications = table_of(Notification).c
_SEEN = sa.select(_notifications.id).where(
    _notifications.gateway == sa.bindparam("of"), _notifications.event_id == sa.bindparam("event")
)
_JUDGE = sa.update(table_of(Notification)).where(_notifications.id == sa.bindparam("notification"))


@transactional
def settle_notification(received: VerifiedNotification, tools: Tools) -> Verdict:
    """Keep a genuine notification and apply what it says, once.

    Returns what became of it; everything but a crash of ours is to be answered as success.
    """
    if run(_SEEN, {"of": received.gateway, "event": received.event_id}).first() is not None:
        return Verdict.DUPLICATE
    notification_id = add_row(
        Notification,
        gateway=received.gateway,
        event_id=received.event_id,
        event_type=received.event_type,
        out_trade_no=getattr(received.notice, "out_trade_no", None),
        body=received.body[:65_536],
        verdict=Verdict.SETTLED.value,
        received_at=clock.now(),
    )
    faults.point("notify.after_kept")
    verdict = _apply(received, tools)
    if verdict is not Verdict.SETTLED:
        run(_JUDGE, {"notification": notification_id, "verdict": verdict.value})
    faults.point("notify.before_commit")
    return verdict


def _apply(received: VerifiedNotification, tools: Tools) -> Verdict:
    match received.notice:
        case PaymentNotice() as notice:
            return settle_payment(notice, VerifiedBy.NOTIFY, tools)
        case RefundNotice() as notice:
            return settle_refund(notice, VerifiedBy.NOTIFY, tools)
        case ComplaintNotice() as notice:
            note_news(notice, received.event_id)
            return Verdict.SETTLED
        case None:
            evidence = {
                "event_id": received.event_id,
                "event_type": received.event_type,
                "problem": received.problem,
            }
            open_case(CaseKind.UNREADABLE, received.event_id, evidence)
            return Verdict.CASE
