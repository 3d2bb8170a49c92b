"""How the account says what the rows hold: an order's course of events, a license's state, a browser."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _

from portal.disputes.models import Dispute
from portal.kit import clock
from portal.kit.wording import price_text
from portal.learners.addresses import masked
from portal.licenses.models import License, LicenseStatus
from portal.orders.models import OrderStatus
from portal.outbox.models import Job, JobStatus
from portal.payments.attempts import TRANSFER
from portal.payments.history import OrderHistory
from portal.payments.models import Payment
from portal.refunds.models import Origin, Refund, RefundStatus

_EXPIRES_SOON = timedelta(days=30)

# The first that fits: browsers name those that they want to be taken for, too.
_BROWSERS = (
    ("MicroMessenger", "WeChat"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"[A-Za-z][\w.-]{1,30}", re.ASCII)


@dataclass(frozen=True)
class Step:
    """Something that happened to an order."""

    at: datetime
    text: str


def timeline(history: OrderHistory, refunds: Sequence[Refund], disputes: Sequence[Dispute]) -> list[Step]:
    """Return what happened to an order, in order; read from the rows, so it cannot disagree with them."""
    order, license_, mailing = history.order, history.license, history.mailing
    shown_at = min((payment.code_url_at for payment in history.payments if payment.code_url_at), default=None)
    happened = (
        (order.created_at, _("You placed the order.")),
        (shown_at, _("The code to scan was shown.")),
        (_moment_of_paying(history.paid, shown_at), _how_paid(history.paid)),
        (order.paid_at, _("We confirmed the payment.")),
        (license_.issued_at if license_ else None, _("Your license was made.")),
        (mailing.done_at if mailing else None, _("The license was sent by e-mail.")),
        (order.closed_at, _how_ended(history)),
        *(step for refund in refunds for step in _steps_of(refund)),
        *(
            (dispute.complained_at, _("You complained about this payment at WeChat Pay."))
            for dispute in disputes
        ),
        *((dispute.completed_at, _("We closed your complaint.")) for dispute in disputes),
    )
    # Sorting keeps the order of what happened at the same moment.
    return sorted((Step(at, text) for at, text in happened if at and text), key=lambda step: step.at)


def _how_paid(paid: Payment | None) -> str:
    if paid is not None and paid.gateway == TRANSFER:
        return _("Your transfer was found.")
    return _("You paid with WeChat Pay.")


def _how_ended(history: OrderHistory) -> str | None:
    """Say how an order ended without a payment; None: it did not."""
    if history.payments and history.payments[-1].gateway == TRANSFER:
        ends = {
            OrderStatus.EXPIRED.value: _("The time to pay ended."),
            OrderStatus.CANCELLED.value: _("You cancelled the order."),
            OrderStatus.FAILED.value: _("Your transfer was looked for and not found."),
        }
    else:
        ends = {
            OrderStatus.EXPIRED.value: _("The time to pay ended; the order was closed at WeChat Pay."),
            OrderStatus.CANCELLED.value: _("You cancelled the order; it was closed at WeChat Pay."),
            OrderStatus.FAILED.value: _("WeChat Pay did not accept the order."),
        }
    return ends.get(history.order.status)


def _steps_of(refund: Refund) -> Iterator[tuple[datetime | None, str]]:
    amount = price_text(refund.amount_fen)
    if refund.origin == Origin.LEARNER:
        yield refund.created_at, _("You asked for %(amount)s back.", amount=amount)
    yield refund.approved_at, _("The refund of %(amount)s was approved.", amount=amount)
    yield refund.succeeded_at, _("%(amount)s went back to you.", amount=amount)
    ends = {
        RefundStatus.REFUSED.value: _("Your request was not accepted."),
        RefundStatus.WITHDRAWN.value: _("You withdrew your request."),
    }
    yield refund.ended_at, ends.get(refund.status, "")


def _moment_of_paying(paid: Payment | None, shown_at: datetime | None) -> datetime | None:
    if paid is None or paid.paid_at is None:
        return None
    # WeChat Pay tells whole seconds, so a quick payer seems to have paid before the code was shown.
    return max(paid.paid_at, shown_at or paid.paid_at)


def license_state(license_: License) -> str:
    """Return a license's state in one word of the vocabulary of badges."""
    if license_.status != LicenseStatus.ACTIVE:
        return license_.status
    if license_.is_expired:
        return "expired"
    return "expiring" if license_.expires_at - clock.now() < _EXPIRES_SOON else "active"


def mail_text(mailing: Job | None, email: str) -> str:
    """Say what became of a license's mail."""
    address = masked(email)
    if mailing is None:
        return _("It has not been sent by e-mail.")
    if mailing.status == JobStatus.DONE:
        return _("Sent to %(address)s.", address=address)
    if mailing.status == JobStatus.DEAD:
        return _("We could not deliver the e-mail to %(address)s. The license here is good.", address=address)
    return _("The e-mail to %(address)s is on its way.", address=address)


def browser_name(user_agent: str) -> str:
    """Name a browser and its system as their owner would: `Chrome, Windows`."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), None)
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), None)
    if browser is None and (product := _PRODUCT.match(user_agent)):
        browser = product.group()
    return ", ".join(name for name in (browser, system) if name) or _("Unknown browser")
