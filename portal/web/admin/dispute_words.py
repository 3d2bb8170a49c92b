"""What states, problems and steps of disputes are called."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.disputes.models import ActKind, ActState, Dispute
from portal.gateways.complaints import ComplaintState, ProblemType
from portal.kit import clock

STATES = {
    ComplaintState.PENDING: (_l("Waits for a first reply"), "warn"),
    ComplaintState.PROCESSING: (_l("In progress"), "info"),
    ComplaintState.PROCESSED: (_l("Completed"), "good"),
}
PROBLEMS = {
    ProblemType.REFUND: _l("Wants a refund"),
    ProblemType.SERVICE_NOT_WORK: _l("The course does not work"),
    ProblemType.OTHERS: _l("Something else"),
}
ACTS = {
    ActKind.REPLY: _l("Reply"),
    ActKind.COMPLETE: _l("Say that it is done"),
    ActKind.APPROVE_REFUND: _l("Promise a refund"),
    ActKind.REJECT_REFUND: _l("Refuse the refund"),
}
ACT_STATES = {
    ActState.WAITING: (_l("Being sent"), "info"),
    ActState.SENT: (_l("Sent"), "good"),
    ActState.REFUSED: (_l("Refused by WeChat"), "bad"),
}
# WeChat Pay's words for steps; one that is not here is shown as it came.
STEPS = {
    "USER_CREATE_COMPLAINT": _l("The payer complained"),
    "USER_CONTINUE_COMPLAINT": _l("The payer went on"),
    "USER_RESPONSE": _l("The payer answered"),
    "USER_REVOKE_COMPLAINT": _l("The payer withdrew the complaint"),
    "PLATFORM_RESPONSE": _l("WeChat answered"),
    "MERCHANT_RESPONSE": _l("We replied"),
    "MERCHANT_CONFIRM_COMPLETE": _l("We said that it is done"),
    "MERCHANT_APPROVE_REFUND": _l("We promised a refund"),
    "MERCHANT_REFUSE_RERUND": _l("We refused a refund"),
    "COMPLAINT_REFUND_RECEIVED_SYSTEM_MESSAGE": _l("A refund arrived"),
    "COMPLAINT_FULL_REFUNDED_SYSTEM_MESSAGE": _l("A refund arrived"),
    "COMPLAINT_PARTIAL_REFUNDED_SYSTEM_MESSAGE": _l("A refund arrived"),
}


def time_left(dispute: Dispute) -> tuple[Any, str]:
    """Say how many whole hours are left for the next step, or that it is overdue; and how urgent that is."""
    due_at: datetime | None = dispute.due_at
    if due_at is None:
        return "", ""
    is_first = dispute.answered_at is None
    seconds = (due_at - clock.now()).total_seconds()
    if seconds < 0:
        return (_("Overdue: first reply") if is_first else _("Overdue: to be done")), "bad"
    hours = int(seconds // 3600)
    text = (
        _("%(hours)s h left for the first reply", hours=hours)
        if is_first
        else _("%(hours)s h left to be done", hours=hours)
    )
    return text, "warn" if hours < 6 else "info"
