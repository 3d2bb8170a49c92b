"""What each kind of case is called, what its reader may do about it, and its evidence in words."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.cases.models import Case, CaseAct, CaseKind
from portal.gateways.base import BillKind, PaymentState, RefundState
from portal.kit import wording
from portal.payments.attempts import TRANSFER
from portal.payments.settle import TRADE_TYPES
from portal.web.admin.reconciliation_words import SUBJECTS
from portal.web.admin.work_words import WORK


@dataclass(frozen=True)
class Words:
    """The name of a kind, and the next step."""

    name: Any
    advice: Any


KINDS = {
    CaseKind.MISMATCH: Words(
        _l("Paid otherwise than asked"),
        _l("The money is real and bought nothing, because amount, currency or way differ. Refund it."),
    ),
    CaseKind.FOREIGN: Words(
        _l("Message for another merchant"),
        _l("It is genuine and not about our account. Others may know our APIv3 key: have it changed."),
    ),
    CaseKind.UNKNOWN_ORDER: Words(
        _l("Paid under an unknown number"),
        _l("Find out whose order it is: another system's under our account, or one lost with a backup."),
    ),
    CaseKind.DUPLICATE: Words(
        _l("Paid twice"), _l("The order was paid before. Refund this payment; the license stays.")
    ),
    CaseKind.LATE_UNWANTED: Words(
        _l("Paid too late"),
        _l("The order had ended and the learner owns the course. Refund this payment."),
    ),
    CaseKind.UNKNOWN_DISPUTE: Words(
        _l("Complaint about an unknown payment"),
        _l("Find out whose order it is. It is answered on the page of disputes like any other."),
    ),
    CaseKind.UNREADABLE: Words(
        _l("Message not understood"),
        _l("It is genuine and we cannot read it. Ask the gateway about its number; tell the engineers."),
    ),
    CaseKind.GATEWAY_REJECTED: Words(
        _l("Order refused by the gateway"),
        _l("Our account or settings are wrong. No money moved. Tell the operators."),
    ),
    CaseKind.DEAD_LETTER: Words(
        _l("Work given up"), _l("The worker failed again and again. Tell the engineers, with the evidence.")
    ),
    CaseKind.BILL_MISSING_HERE: Words(
        _l("In the bill, not in our books"),
        _l("Adopt it on the day's page, or find out whose it is."),
    ),
    CaseKind.BILL_MISSING_THERE: Words(
        _l("In our books, not in the bill"),
        _l("The next day's bill may have it; then this closes by itself. Else ask the gateway."),
    ),
    CaseKind.BILL_AMOUNT: Words(
        _l("The bill has another amount"), _l("Query the payment, and compare it with the merchant platform.")
    ),
    CaseKind.BILL_STATE: Words(
        _l("The bill tells another end"), _l("Query the payment, and compare it with the merchant platform.")
    ),
    CaseKind.BILL_OVERDUE: Words(
        _l("The bill has not come"),
        _l("It is tried every half hour. This closes by itself when the bill is here."),
    ),
    CaseKind.REFUND_UNKNOWN: Words(
        _l("Refund that does not fit our books"),
        _l("The gateway knows a refund that we did not ask for so. Compare it with the merchant platform."),
    ),
    CaseKind.REFUND_FAILED: Words(
        _l("Refund not paid out"),
        _l("The buyer has no money yet. Follow the refund's own page, or pay by hand and note it there."),
    ),
    CaseKind.REFUND_PENDING: Words(
        _l("Refund waits too long"),
        _l("It is asked about again and again, and closes by itself. Look at the account's balance."),
    ),
    CaseKind.TRANSFER_WAITING: Words(
        _l("Transfer waits too long"),
        _l("The learner says that it was made. Look whether it came, and confirm or refuse it on its page."),
    ),
}

# What differs where people move the money, and no gateway does.
_BY_HAND = {
    CaseKind.MISMATCH: _l(
        "Another amount came than the price, and nothing is booked. Agree with the learner: either the rest comes and the"
        " whole is entered on the transfer's page, or the money goes back by hand and the transfer is refused there."
    ),
    CaseKind.REFUND_PENDING: _l(
        "Nobody has noted yet that the money was given back. Give it back by hand and note it on the refund's page; this"
        " closes by itself then."
    ),
}


def advice_of(case: Case) -> Any:
    """Return what its reader may do about a case."""
    kind = CaseKind(case.kind)
    by_hand = _BY_HAND.get(kind) if case.evidence.get("gateway") == TRANSFER else None
    return by_hand or KINDS[kind].advice


ACTS = {
    CaseAct.COMMENTED: _l("Comment"),
    CaseAct.TAKEN: _l("Taken"),
    CaseAct.CLOSED: _l("Closed"),
    CaseAct.REOPENED: _l("Opened again"),
}

EVIDENCE = {
    "amount_fen": _l("Amount"),
    "expected_fen": _l("Asked for"),
    "theirs_fen": _l("In the bill"),
    "ours_fen": _l("In our books"),
    "total_fen": _l("Paid in all"),
    "currency": _l("Currency"),
    "gateway": _l("Gateway"),
    "mchid": _l("Merchant"),
    "appid": _l("App"),
    "trade_type": _l("Way to pay"),
    "state": _l("State at the gateway"),
    "has_refund": _l("Some of it went back"),
    "account": _l("Goes to"),
    "bill_date": _l("Day of the bill"),
    "line": _l("Line of the bill"),
    "about": _l("About"),
    "order": _l("Order"),
    "number": _l("Number at the gateway"),
    "refund_id": _l("Number at the gateway"),
    "transaction_id": _l("Transaction"),
    "out_trade_no": _l("Our number"),
    "out_refund_no": _l("Our number of the refund"),
    "complaint_id": _l("Complaint"),
    "event_id": _l("Number of the message"),
    "event_type": _l("Kind of message"),
    "problem": _l("What is wrong with it"),
    "kind": _l("Kind of work"),
    "paid_at": _l("Paid"),
    "succeeded_at": _l("Given back"),
    "why": _l("Why"),
    "reason": _l("Reason"),
    "reference": _l("Reference"),
}

_STATES = {
    PaymentState.NOT_FOUND.value: _l("not known there"),
    PaymentState.PENDING.value: _l("not paid yet"),
    PaymentState.PAID.value: _l("paid"),
    PaymentState.CLOSED.value: _l("closed"),
    RefundState.PROCESSING.value: _l("under way"),
    RefundState.SUCCESS.value: _l("given back"),
    RefundState.ABNORMAL.value: _l("not paid out"),
}


# What rooms give as a reason, and what they note in a case's history, is kept in English and shown in the reader's language.
_SAID = {
    "another merchant": _l("another merchant"),
    "another merchant or app": _l("another merchant or app"),
    "another mode, merchant or app than the attempt's": _l(
        "another mode, merchant or app than the attempt's"
    ),
    "another mode or merchant than the payment's": _l("another mode or merchant than the payment's"),
    "no such order number": _l("no such order number"),
    "no such payment": _l("no such payment"),
    "amount or currency": _l("amount or currency"),
    "trade type": _l("trade type"),
    "the attempt was paid by another transaction": _l("the attempt was paid by another transaction"),
    "the order was paid by another attempt; refund proposed": _l(
        "the order was paid by another attempt; refund proposed"
    ),
    "the learner owns the course already; refund proposed": _l(
        "the learner owns the course already; refund proposed"
    ),
    "another order number": _l("another order number"),
    "another transaction": _l("another transaction"),
    "another total": _l("another total"),
    "another currency": _l("another currency"),
    "another amount": _l("another amount"),
    "another refund number": _l("another refund number"),
    "another gateway's number": _l("another gateway's number"),
    "more than was paid": _l("more than was paid"),
    "more than is left of the payment": _l("more than is left of the payment"),
    "refunded at the gateway, by nobody here": _l("refunded at the gateway, by nobody here"),
    "the gateway says that the payment was undone": _l("the gateway says that the payment was undone"),
    "no payment of ours has this transaction": _l("no payment of ours has this transaction"),
    "no refund of ours has this number": _l("no refund of ours has this number"),
    "the bill has no line for our payment": _l("the bill has no line for our payment"),
    "the bill has no line for our refund": _l("the bill has no line for our refund"),
    "abnormal": _l("abnormal"),
    "closed": _l("closed"),
    "told for three days": _l("told of three days ago, and nobody has looked"),
    "checked for three days": _l("told of three days ago, entered, and nobody has agreed"),
    "approved for too long": _l("approved, and not carried out for too long"),
    "processing for too long": _l("under way for too long"),
    "abnormal for too long": _l("not paid out for too long"),
    "the order is paid and has no license": _l("the order is paid and has no license"),
    "The cause is there again.": _l("The cause is there again."),
    "The bill has come.": _l("The bill has come."),
    "decided": _l("Somebody has decided about the transfer."),
    "refused": _l("The transfer was refused."),
    "entered anew": _l("What came was entered anew."),
    "entered in error": _l("It had been entered in error."),
    "refunded": _l("The money went back."),
    "refund found": _l("The refund was found."),
}

# The same with a day or a number in it.
_SAID_OF: tuple[tuple[re.Pattern[str], Callable[..., str]], ...] = (
    (
        re.compile(r"The bill of (\S+) and our books agree now\."),
        lambda day: _("The bill of %(day)s and our books agree now.", day=day),
    ),
    (
        re.compile(r"It stands in the bill of (\S+)\."),
        lambda day: _("It stands in the bill of %(day)s.", day=day),
    ),
    (
        re.compile(r"our number for it is (\S+)"),
        lambda number: _("our number for it is %(number)s", number=number),
    ),
    (
        re.compile(r"(\S+) there, (\S+) here"),
        lambda there, here: _("%(there)s there, %(here)s here", there=there, here=here),
    ),
)


def said(text: str) -> Any:
    """Return in the reader's language what a room has said in English; anything else as it is."""
    if text in _SAID:
        return _SAID[text]
    for pattern, words in _SAID_OF:
        if match := pattern.fullmatch(text):
            return words(*match.groups())
    return text


def evidence_of(case: Case) -> Iterator[tuple[Any, Any]]:
    """Return the evidence of a case as names and values, both in words."""
    for name, value in case.evidence.items():
        yield EVIDENCE.get(name, name), _shown(name, value)


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if value in (TRANSFER, TRADE_TYPES[TRANSFER]):
        return _("Transfer")
    match name, value:
        case "about", str() if value in set(BillKind):
            return SUBJECTS[BillKind(value)]
        case "state", str():
            return _STATES.get(value, value)
        case "kind", str():
            return WORK.get(value, value)
        case (("why" | "reason"), str()):
            return said(value)
        case (("paid_at" | "succeeded_at"), str()):
            return wording.instant_text(datetime.fromisoformat(value), str(get_locale()))
        case _, int() if name.endswith("_fen"):
            return wording.price_text(value)
    return value
