"""An order's story as a list of events, in words; read from the rows, so it cannot disagree with them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import url_for
from flask_babel import gettext as _

from portal.audit import services as audit
from portal.audit.models import AuditRow
from portal.cases.models import CaseKind
from portal.desk.story import Story
from portal.gateways.complaints import ProblemType
from portal.kit import wording
from portal.outbox.models import Job, JobStatus
from portal.payments.attempts import TRANSFER
from portal.payments.models import Payment, PaymentStatus, VerifiedBy
from portal.refunds.models import Origin, Refund, RefundStatus
from portal.refunds.settle import REVOKED_BECAUSE
from portal.staff.permissions import Permission, may
from portal.web.admin.case_words import KINDS, said
from portal.web.admin.dispute_words import PROBLEMS
from portal.web.admin.work_words import WORK
from portal.web.staff import required_staff

_ACTS_SHOWN_OTHERWISE = frozenset(
    {"order.placed", "order.commented", "refund.requested", "refund.approved", "refund.refused"}
)


@dataclass(frozen=True)
class Event:
    """Something that happened. `kind` colours its mark: good, warn, bad or nothing; `url` leads to more of it."""

    at: datetime
    title: str
    detail: str = ""
    by: str = ""
    kind: str = ""
    url: str | None = None


def events(story: Story, acts: Sequence[AuditRow]) -> list[Event]:
    """Return everything that happened to an order, the oldest first, with those acts that the reader may see."""
    found = [
        *_of_order(story),
        *(event for payment in story.payments for event in _of_payment(payment)),
        *_of_news(story),
        *_of_license(story),
        *(event for refund in story.refunds for event in _of_refund(refund)),
        *(event for job in story.jobs if (event := _of_job(job)) is not None),
        *_of_people(story),
        *_of_disputes(story),
        *_of_calls(story),
        *_of_acts(acts),
    ]
    # Sorting keeps the order of what happened at the same moment.
    return sorted(found, key=lambda event: event.at)


def payment_words() -> dict[str, str]:
    """Return the states of an attempt in words."""
    return {
        PaymentStatus.CREATED.value: _("On record, no code yet"),
        PaymentStatus.OPEN.value: _("Open: the code can be scanned"),
        PaymentStatus.PAID.value: _("Payment confirmed"),
        PaymentStatus.CLOSED.value: _("Closed"),
        PaymentStatus.REJECTED.value: _("Refused by WeChat Pay"),
    }


def person(actor: str) -> str:
    """Name an actor of the audit in few letters: what kind, and the mark that tells them apart."""
    kind, _colon, name = actor.partition(":")
    kinds = {"staff": _("Staff"), "learner": _("Buyer"), "operator": _("Operator"), "system": _("Portal")}
    mark = name[:4].upper() if kind in {"staff", "learner"} else name
    return " ".join(part for part in (kinds.get(kind, kind), mark) if part)


def _of_order(story: Story) -> Iterator[Event]:
    order = story.order
    yield Event(order.created_at, _("The order was placed."), wording.price_text(order.amount_fen))
    if order.paid_at:
        yield Event(order.paid_at, _("The payment was confirmed."), _proof(story), kind="good")
    if order.closed_at:
        yield Event(order.closed_at, _("The order came to its end unpaid."))


def proof_words() -> dict[str, str]:
    """Return by what the portal can know of a movement of money."""
    return {
        VerifiedBy.NOTIFY.value: _("by WeChat Pay's notification"),
        VerifiedBy.QUERY.value: _("by asking WeChat Pay"),
        VerifiedBy.BILL.value: _("by WeChat Pay's bill"),
        VerifiedBy.PERSON.value: _("by a person who saw the transfer"),
    }


def _proof(story: Story) -> str:
    proofs = (payment.verified_by for payment in story.payments if payment.verified_by)
    return proof_words().get(next(proofs, ""), "")


def _of_payment(payment: Payment) -> Iterator[Event]:
    number = payment.out_trade_no
    yield Event(payment.created_at, _("An attempt to pay was put on record."), number)
    if payment.code_url_at:
        yield Event(payment.code_url_at, _("WeChat Pay gave the code to scan."), number)
    if payment.queried_at:
        yield Event(payment.queried_at, _("WeChat Pay was asked, the last time so far."), number)
    if payment.paid_at:
        yield Event(payment.paid_at, _("The buyer paid."), payment.transaction_id or "", kind="good")
    if payment.closed_at:
        is_refused = payment.status == PaymentStatus.REJECTED
        title = (
            _("The attempt was closed.")
            if payment.gateway == TRANSFER
            else _("WeChat Pay refused the attempt.")
            if is_refused
            else _("The attempt was closed at WeChat Pay.")
        )
        yield Event(
            payment.closed_at, title, payment.failure_code or number, kind="bad" if is_refused else ""
        )


def _of_news(story: Story) -> Iterator[Event]:
    verdicts = {
        "settled": (_("applied"), "good"), "duplicate": (_("known already"), ""),
        "case": (_("not applied: a case was opened"), "bad"), "ignored": (_("no news of money"), ""),
    }  # fmt: skip
    for notification in story.notifications:
        words, kind = verdicts.get(notification.verdict, (notification.verdict, ""))
        title = _("A notification came: %(verdict)s.", verdict=words)
        yield Event(notification.received_at, title, notification.event_type, kind=kind)
    for entry in story.entries:
        detail = f"{wording.price_text(entry.amount_fen)}: {entry.debit_account} → {entry.credit_account}"
        yield Event(entry.created_at, _("The ledger got an entry."), detail)


def _of_license(story: Story) -> Iterator[Event]:
    for license_ in story.licenses:
        yield Event(license_.issued_at, _("The license was made."), license_.id, kind="good")
        if license_.revoked_at:
            title = _("The license was revoked.")
            why = license_.revoked_reason or license_.id
            yield Event(
                license_.revoked_at,
                title,
                _("The money went back.") if why == REVOKED_BECAUSE else why,
                kind="bad",
            )


def _of_refund(refund: Refund) -> Iterator[Event]:
    number = refund.out_refund_no
    amount = wording.price_text(refund.amount_fen)
    is_found = refund.origin == Origin.CONSOLE
    title = _("A refund made at WeChat Pay was found.") if is_found else _("A refund was asked for.")
    asked_by = "" if is_found else person(refund.requested_by)
    yield Event(refund.created_at, title, f"{amount}: {refund.reason}", by=asked_by, kind="warn")
    if refund.approved_at:
        yield Event(
            refund.approved_at, _("The refund was approved."), number, by=person(refund.approved_by or "")
        )
    if refund.succeeded_at:
        yield Event(refund.succeeded_at, _("The refund was paid out."), f"{amount}: {number}", kind="good")
    elif refund.ended_at:
        title = {
            RefundStatus.REFUSED: _("The refund was refused."),
            RefundStatus.WITHDRAWN: _("The request for a refund was withdrawn."),
            RefundStatus.ABNORMAL: _("WeChat Pay could not pay the refund out."),
        }.get(RefundStatus(refund.status), _("The refund was not carried out."))
        yield Event(refund.ended_at, title, refund.decision_note or number, kind="bad")


def _of_job(job: Job) -> Event | None:
    name = WORK.get(job.kind, job.kind)
    if job.status == JobStatus.DEAD:
        title = _("%(work)s: given up.", work=name)
        return Event(job.created_at, title, job.last_error or "", kind="bad")
    if job.status == JobStatus.PENDING:
        title = _("%(work)s: to be done, tried %(count)s times.", work=name, count=job.attempts)
        return Event(job.created_at, title, job.last_error or "", kind="warn" if job.attempts > 1 else "")
    if job.kind == "mail_license" and job.done_at:
        return Event(job.done_at, _("The license was sent by e-mail."), kind="good")
    return None


def _of_people(story: Story) -> Iterator[Event]:
    for case in story.cases:
        title = _("A case was opened: %(kind)s.", kind=KINDS[CaseKind(case.kind)].name)
        why = case.evidence.get("why", "")
        yield Event(case.created_at, title, str(said(why)), kind="bad")
    for comment in story.comments:
        yield Event(comment.at, comment.text, by=person(comment.actor), kind="warn")


def _of_disputes(story: Story) -> Iterator[Event]:
    reader = required_staff()
    for dispute in story.disputes:
        problem = str(PROBLEMS[ProblemType(dispute.problem_type)])
        url = None
        if may(reader, Permission.ANSWER_DISPUTES):
            url = url_for("admin.dispute", dispute_id=dispute.id)
        yield Event(
            dispute.complained_at, _("The buyer complained at WeChat Pay."), problem, kind="bad", url=url
        )
        if dispute.answered_at:
            yield Event(dispute.answered_at, _("The complaint was answered."), url=url)
        if dispute.completed_at:
            yield Event(dispute.completed_at, _("The complaint came to its end."), kind="good", url=url)


def _of_calls(story: Story) -> Iterator[Event]:
    """Tell of the calls that did not go well; the others are in the list of all calls."""
    for call in story.calls:
        if not call.is_good:
            answer = _("answer %(status)s", status=call.status) if call.status else _("no answer")
            why = "" if call.verdict == "ok" else f", {call.verdict}"
            detail = f"{call.method} {call.route}: {answer}{why}"
            yield Event(call.at, _("A call to WeChat Pay did not go well."), detail, kind="warn")


def _of_acts(acts: Sequence[AuditRow]) -> Iterator[Event]:
    names = {
        "order.query_asked": _("WeChat Pay was asked by hand."),
        "order.cancelled_asked": _("The order was to be closed."),
        "license.mail_requested": _("The license was to be sent again."),
        "license.revoked": _("The license was to be revoked."),
        "transfer.told": _("The buyer says that the transfer was made."),
        "transfer.checked": _("Somebody entered what came."),
        "transfer.sent_back": _("What was entered was taken back."),
        "transfer.confirmed": _("The transfer was confirmed."),
        "transfer.refused": _("The transfer was refused."),
        "refund.endorsed": _("One of two persons agreed to the refund."),
        "refund.changed": _("It was decided what becomes of the license."),
        "refund.sent_again": _("The refund was to be sent again."),
        "refund.given_up": _("The refund was given up."),
    }
    for act in acts:
        if act.actor != audit.SYSTEM and act.action not in _ACTS_SHOWN_OTHERWISE:
            facts = json.loads(act.facts)
            detail = ", ".join(f"{name}: {value}" for name, value in facts.items() if name != "digest")
            yield Event(act.at, names.get(act.action, act.action), detail, by=person(act.actor))
