"""What staff do about a dispute: written down first, then sent by the worker until it is known to have arrived."""

import logging
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.disputes.act_pictures import check_pictures, forget_contents, keep_pictures, upload_pictures
from portal.disputes.models import ActKind, ActState, Dispute, DisputeAct, DisputeEntry
from portal.disputes.queries import dispute_of
from portal.disputes.syncing import sync_dispute
from portal.gateways.base import GatewayRejected
from portal.gateways.complaints import ComplaintDesk, ComplaintState, EntryKind, ProblemType
from portal.kit import clock
from portal.kit.db import add_row, changed_one, db, transactional
from portal.kit.errors import Conflict, Invalid
from portal.outbox import services as outbox
from portal.tools import Tools

log = logging.getLogger(__name__)

LONGEST_TEXT = 200
"""What WeChat Pay takes of a reply or a reason (merchant/4012467213)."""
MOST_DAYS = 10
_STEP_OF = {
    ActKind.REPLY: EntryKind.REPLIED,
    ActKind.COMPLETE: EntryKind.COMPLETED,
    ActKind.APPROVE_REFUND: EntryKind.REFUND_APPROVED,
    ActKind.REJECT_REFUND: EntryKind.REFUND_REJECTED,
}
_CLOCKS_APART = timedelta(minutes=5)
"""Beyond this the gateway would not have believed our call."""


class BadReply(Invalid):
    """A text is empty, too long, or has characters that cannot be shown; or days are none."""

    code = "bad_reply"


class NotNow(Conflict):
    """The state of the dispute does not allow this, or the same is being sent already."""

    code = "not_now"


def checked_text(text: str) -> str:
    """Return a text in the form in which it is sent: NFC, one kind of line break, no blanks around it.

    Raises:
        BadReply: it has not 1 to 200 characters, or some that cannot be seen.
    """
    tidy = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())
    if not 1 <= len(tidy) <= LONGEST_TEXT:
        raise BadReply(f"1 to {LONGEST_TEXT} characters")
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Cs"} and letter != "\n" for letter in tidy):
        raise BadReply("characters that cannot be shown")
    return tidy


@transactional
def ask_act(
    dispute_id: int,
    kind: ActKind,
    actor: str,
    form_token: str,
    text: str = "",
    days: int | None = None,
    pictures: Sequence[bytes] = (),
) -> int:
    """Write down what is to be done about a dispute, and return the act's id. Sent twice, a form is one act.

    Args:
        actor: who decides, as the audit names them.
        form_token: names the form that was sent.
        text: of a reply, or why a refund is refused; the payer reads it.
        days: in how many working days a promised refund is made, 0 to 10.
        pictures: of a reply, at most 4.

    Raises:
        NotFound: there is no such dispute.
        BadReply: the text or the days cannot be sent.
        BadPicture: the pictures cannot be sent.
        NotNow: the dispute does not allow it.
    """
    known = db.session.scalar(sa.select(DisputeAct.id).where(DisputeAct.form_token == form_token))
    if known is not None:
        return known
    dispute = dispute_of(dispute_id)
    if not may_do(dispute, kind):
        raise NotNow
    needs_text = kind in {ActKind.REPLY, ActKind.REJECT_REFUND}
    if kind is ActKind.APPROVE_REFUND and (days is None or not 0 <= days <= MOST_DAYS):
        raise BadReply(f"0 to {MOST_DAYS} working days")
    check_pictures(pictures)
    act_id: int = add_row(
        DisputeAct,
        dispute_id=dispute_id,
        kind=kind.value,
        state=ActState.WAITING.value,
        text=checked_text(text) if needs_text else "",
        days=days if kind is ActKind.APPROVE_REFUND else None,
        actor=actor,
        form_token=form_token,
        open_key=None if kind is ActKind.REPLY else f"{dispute_id}:end",
        created_at=clock.now(),
    )
    keep_pictures(act_id, pictures)
    outbox.add("send_dispute_act", f"send_dispute_act:{act_id}", act_id)
    audit.record(
        f"dispute.{kind}_asked",
        f"dispute:{dispute_id}",
        actor,
        act=act_id,
        text=text[:LONGEST_TEXT],
        days=days,
        pictures=len(pictures),
    )
    return act_id


def may_do(dispute: Dispute, kind: ActKind) -> bool:
    """Tell whether a dispute is in a state in which the gateway takes an act, and none but replies waits."""
    if kind is ActKind.REPLY:
        return True
    open_key = f"{dispute.id}:end"
    if db.session.scalar(sa.select(DisputeAct.id).where(DisputeAct.open_key == open_key)) is not None:
        return False
    if kind is ActKind.COMPLETE:
        return dispute.state == ComplaintState.PROCESSING
    return dispute.is_open and dispute.problem_type == ProblemType.REFUND and not _is_promised(dispute)


def _is_promised(dispute: Dispute) -> bool:
    """Tell whether a refund was promised since the payer complained (again)."""
    promised = sa.select(DisputeEntry.id).where(
        DisputeEntry.dispute_id == dispute.id,
        DisputeEntry.kind == EntryKind.REFUND_APPROVED.value,
        DisputeEntry.at >= _last_word(dispute.id).scalar_subquery(),
    )
    return db.session.scalar(promised.limit(1)) is not None


def _last_word(dispute_id: int) -> sa.Select[Any]:
    complained = [EntryKind.COMPLAINED.value, EntryKind.WENT_ON.value]
    return sa.select(sa.func.max(DisputeEntry.at)).where(
        DisputeEntry.dispute_id == dispute_id, DisputeEntry.kind.in_(complained)
    )


def send_act(act_id: int, tools: Tools) -> None:
    """Tell the gateway of an act, unless its history has it already.

    Raises:
        GatewayUnknown: whether it arrived is not known; this is to be called again.
    """
    act = db.session.get_one(DisputeAct, act_id, populate_existing=True)
    if act.state != ActState.WAITING:
        return
    dispute = db.session.get_one(Dispute, act.dispute_id)
    gateway, complaint_id = dispute.gateway, dispute.complaint_id
    if act.called_at is not None:
        sync_dispute(gateway, complaint_id, tools)
        if _found_in_history(act_id):
            return
    desk = tools.gateway(gateway).complaints
    try:
        media_ids = upload_pictures(act_id, desk)
        _note_call(act_id)
        _call(desk, complaint_id, act, media_ids)
    except GatewayRejected as error:
        _end(act_id, ActState.REFUSED, failure=error.reason)
        return
    _end(act_id, ActState.SENT)
    # News of it comes by itself, too; whoever looks at the page wants to see it now.
    sync_dispute(gateway, complaint_id, tools)
    _found_in_history(act_id)


def _call(desk: ComplaintDesk, complaint_id: str, act: DisputeAct, media_ids: Sequence[str]) -> None:
    match ActKind(act.kind):
        case ActKind.REPLY:
            desk.reply(complaint_id, act.text, media_ids)
        case ActKind.COMPLETE:
            desk.complete(complaint_id)
        case ActKind.APPROVE_REFUND:
            desk.approve_refund(complaint_id, act.days or 0)
        case ActKind.REJECT_REFUND:
            desk.reject_refund(complaint_id, act.text)


@transactional
def _note_call(act_id: int) -> None:
    db.session.execute(
        sa.update(DisputeAct)
        .where(DisputeAct.id == act_id, DisputeAct.called_at.is_(None))
        .values(called_at=clock.now())
        .execution_options(synchronize_session=False)
    )


@transactional
def _found_in_history(act_id: int) -> bool:
    """Tie an act to the step of the history that it became; tell whether there is one."""
    act = db.session.get_one(DisputeAct, act_id, populate_existing=True)
    if act.log_id is not None:
        return True
    assert act.called_at is not None
    tied = sa.select(DisputeAct.log_id).where(
        DisputeAct.dispute_id == act.dispute_id, DisputeAct.log_id.is_not(None)
    )
    steps = db.session.scalars(
        sa.select(DisputeEntry)
        .where(
            DisputeEntry.dispute_id == act.dispute_id,
            DisputeEntry.kind == _STEP_OF[ActKind(act.kind)].value,
            DisputeEntry.at >= act.called_at - _CLOCKS_APART,
            DisputeEntry.log_id.not_in(tied),
        )
        .order_by(DisputeEntry.at, DisputeEntry.id)
    )
    step = next(
        (step for step in steps if act.kind != ActKind.REPLY or _seen(step.text) == _seen(act.text)), None
    )
    if step is None:
        return False
    db.session.execute(
        sa.update(DisputeAct)
        .where(DisputeAct.id == act_id)
        .values(log_id=step.log_id)
        .execution_options(synchronize_session=False)
    )
    _end(act_id, ActState.SENT)
    return True


def _seen(text: str) -> str:
    """Return what is seen of a text: blanks may come back otherwise than they were sent."""
    return "".join(letter for letter in text if letter.isprintable() and not letter.isspace())


@transactional
def _end(act_id: int, state: ActState, failure: str | None = None) -> None:
    ended = db.session.execute(
        sa.update(DisputeAct)
        .where(DisputeAct.id == act_id, DisputeAct.state == ActState.WAITING.value)
        .values(state=state.value, failure=failure, open_key=None, ended_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    if changed_one(ended):
        forget_contents(act_id)
        act = db.session.get_one(DisputeAct, act_id, populate_existing=True)
        audit.record(
            f"dispute.{act.kind}_{state}",
            f"dispute:{act.dispute_id}",
            audit.SYSTEM,
            act=act_id,
            failure=failure,
        )
