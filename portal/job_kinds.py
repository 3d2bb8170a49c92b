"""Each kind of work in the outbox: what does it, when again, for how long.

A worker that dies leaves its row, and another does it again: whatever is here may be done twice.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from portal.batches import services as batches
from portal.config import Settings
from portal.delivery.account_mail import mail_register_again, mail_reset
from portal.delivery.device_mail import mail_new_device
from portal.delivery.license_mail import mail_license, mail_license_revoked
from portal.delivery.transport import Mailer, MailNotSent
from portal.desk.audit_export import AUDIT_EXPORT, export_step
from portal.disputes import syncing as disputes
from portal.disputes.acts import send_act
from portal.gateways.base import GatewayError
from portal.grants.bulk import bulk_step
from portal.grants.services import BULK
from portal.kit import clock
from portal.kit.db import db
from portal.licenses.key_ring import NoSigningKey
from portal.outbox import services as outbox
from portal.outbox.services import Claim
from portal.payments.close import close_order, look_again, look_at_payment
from portal.payments.open import open_payment
from portal.payments.settle import issue_late_license
from portal.reconciliation.services import NoBillYet, reconcile_run
from portal.refunds.call import learn_refunds, look_at_refund, note_overdue, send_refund
from portal.refunds.mail import mail_done, mail_refused, mail_started
from portal.tools import Tools
from portal.transfers.mail import mail_refused as mail_transfer_refused
from portal.transfers.mail import mail_told as mail_transfer_told
from portal.transfers.tell import note_overdue as note_transfer_overdue

log = logging.getLogger(__name__)


class NotYet(Exception):
    """The work could not be done now; `args[0]` is safe to show.

    `pause`: when to try again, where the work knows better than its kind.
    """

    def __init__(self, reason: str, pause: timedelta | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Kind:
    """How one kind of work is done: by what, after which pauses, and for how long it is tried.

    `pauses` are seconds, the last one repeats. `gives_up_after` None: it is tried until it succeeds.
    `lease`: for how long it is one worker's, and waits when that worker dies: above what it takes as a rule, not above
    what several slow answers take. Two may be at it then, which is harmless: they ask under the same numbers, each change
    here is a compare-and-set or has its unique key, and who has lost the lease cannot finish. What must not be asked
    twice at once has a lease of its own (`payments/open.py`).
    `calls_gateway`: it rests while the gateways are away, and takes turns with all workers otherwise.
    `is_done_on_hold`: also while the portal is on hold (`switchboard/hold.py`): it asks and books, and moves nothing outside.
    `can_wait`: mails and long work, which a dead mail server may draw out: what money hangs on comes before.
    """

    do: Callable[[Claim, Tools], None]
    pauses: tuple[int, ...]
    gives_up_after: timedelta | None = None
    calls_gateway: bool = False
    lease: timedelta = outbox.LEASE
    is_done_on_hold: bool = False
    can_wait: bool = False


def _open_payment(claim: Claim, tools: Tools) -> None:
    if not open_payment(int(claim.subject_id), tools):
        raise NotYet("no answer from the gateway")


def _watch_payment(claim: Claim, tools: Tools) -> None:
    if not look_at_payment(int(claim.subject_id), tools):
        raise NotYet("not paid yet")


def _close_order(claim: Claim, tools: Tools) -> None:
    if not close_order(int(claim.subject_id), tools):
        raise NotYet("not confirmed by the gateway")


def _look_again(claim: Claim, tools: Tools) -> None:
    if not look_again(int(claim.subject_id), tools):
        raise NotYet("no answer from the gateway")


def _issue_license(claim: Claim, tools: Tools) -> None:
    try:
        issue_late_license(int(claim.subject_id), tools)
    except NoSigningKey as error:
        raise NotYet(str(error)) from None


def _reconcile_day(claim: Claim, tools: Tools) -> None:
    try:
        reconcile_run(int(claim.subject_id), tools)
    except NoBillYet as error:
        raise NotYet(str(error)) from None


def _refund_call(claim: Claim, tools: Tools) -> None:
    pause = send_refund(int(claim.subject_id), tools)
    if pause is not None:
        raise NotYet("not accepted by the gateway", pause)


def _refund_query(claim: Claim, tools: Tools) -> None:
    if not look_at_refund(int(claim.subject_id), tools):
        raise NotYet("not at its end")


def _refund_overdue(claim: Claim, _tools: Tools) -> None:
    note_overdue(int(claim.subject_id))


def _transfer_overdue(claim: Claim, _tools: Tools) -> None:
    note_transfer_overdue(int(claim.subject_id))


def _learn_refunds(claim: Claim, tools: Tools) -> None:
    if not learn_refunds(int(claim.subject_id), tools):
        raise NotYet("no answer from the gateway")


def _sync_dispute(claim: Claim, tools: Tools) -> None:
    _asking(disputes.sync_dispute, disputes.gateway_of(claim.effect_key), claim.subject_id, tools)


_TRIES_AN_HOUR = 5


def _sync_disputes(claim: Claim, tools: Tools) -> None:
    try:
        disputes.look_at_all(claim.subject_id, claim.effect_key, tools)
        disputes.keep_notify_url(claim.subject_id, tools)
    except GatewayError as error:
        if claim.attempts < _TRIES_AN_HOUR:
            raise NotYet(error.reason) from None
        # The next hour has a look of its own.
        log.error("complaints not listed", extra={"alert": True, "why": error.reason})


def _send_dispute_act(claim: Claim, tools: Tools) -> None:
    _asking(send_act, int(claim.subject_id), tools)


def _asking(call: Callable[..., object], *facts: object) -> None:
    """Do work that needs an answer of the gateway; without one it is done again."""
    try:
        call(*facts)
    except GatewayError as error:
        raise NotYet(error.reason) from None


def _mailing(mail: Callable[[str, str, Mailer, Settings], None]) -> Callable[[Claim, Tools], None]:
    """Return the work of sending one kind of mail."""

    def send(claim: Claim, tools: Tools) -> None:
        try:
            mail(claim.subject_id, claim.effect_key, tools.mailer, tools.settings)
        except MailNotSent as error:
            raise NotYet(str(error)) from None

    return send


# What a step of each kind of long work does, in the transaction it is given.
STEPS: dict[str, batches.StepOf] = {BULK: bulk_step, AUDIT_EXPORT: export_step}
# A claim is for a minute; a batch that goes on gives its worker back to other work before.
_BATCH_TURN = timedelta(seconds=20)


def _run_batch(claim: Claim, tools: Tools) -> None:
    batch_id, until = int(claim.subject_id), clock.now() + _BATCH_TURN
    try:
        while batches.advance(batch_id, STEPS, tools):
            if clock.now() >= until:
                raise NotYet("goes on")
    except NotYet:
        raise
    except NoSigningKey as error:
        raise NotYet(str(error)) from None
    except Exception as error:
        # A step that fails three times ends its batch as failed; what was done before it stays.
        db.session.rollback()
        log.exception("batch step failed", extra={"alert": True, "batch_id": batch_id})
        if not batches.note_failure(batch_id, type(error).__name__):
            raise NotYet(type(error).__name__) from None


_DAY = timedelta(hours=24)
# Somebody sits before the page: nothing but our database is asked, or as a rule one call, which ends within 15 s (five
# for its turn, ten for the answer). The rare ways with up to four calls may be gone by two (`Kind.lease`).
_MOMENT, _ONE_CALL = timedelta(seconds=10), timedelta(seconds=20)
_MAIL_PAUSES = (10, 60, 300, 900, 3600)
KINDS: dict[str, Kind] = {
    "open_payment": Kind(_open_payment, (3, 5, 10), calls_gateway=True, lease=_ONE_CALL),
    # After the first look at 30 s: at 2 minutes, then every 2½ until the order ends, so that a payment whose
    # notification was lost is found within three. Whoever watches the page hastens it (`payments/watch.py`).
    "watch_payment": Kind(_watch_payment, (90, 150), calls_gateway=True, lease=_ONE_CALL),
    "close_order": Kind(_close_order, (5, 5, 10, 20, 30, 60), calls_gateway=True),
    "look_again": Kind(_look_again, (60, 300, 600), _DAY, calls_gateway=True, is_done_on_hold=True),
    "issue_license": Kind(_issue_license, (2, 5, 10, 30), lease=_MOMENT, is_done_on_hold=True),
    "run_batch": Kind(_run_batch, (1,), can_wait=True),
    # Every half hour; the day itself says when a person is told.
    "reconcile_day": Kind(_reconcile_day, (1800,), calls_gateway=True, is_done_on_hold=True),
    "refund_call": Kind(_refund_call, (5, 10, 30, 60, 300), calls_gateway=True),
    # After the first look at one minute.
    "refund_query": Kind(
        _refund_query, (60, 120, 300, 600, 1800, 3600), calls_gateway=True, is_done_on_hold=True
    ),
    "refund_overdue": Kind(_refund_overdue, (60,)),
    "learn_refunds": Kind(_learn_refunds, (10, 60, 300, 1800), calls_gateway=True, is_done_on_hold=True),
    "mail_refund_started": Kind(_mailing(mail_started), _MAIL_PAUSES, _DAY, can_wait=True),
    "mail_refund_done": Kind(_mailing(mail_done), _MAIL_PAUSES, _DAY, can_wait=True),
    "mail_refund_refused": Kind(_mailing(mail_refused), _MAIL_PAUSES, _DAY, can_wait=True),
    "sync_dispute": Kind(_sync_dispute, (5, 30, 120, 600), _DAY, calls_gateway=True, is_done_on_hold=True),
    "sync_disputes": Kind(_sync_disputes, (60, 600), _DAY, calls_gateway=True),
    "send_dispute_act": Kind(_send_dispute_act, (5, 15, 60, 300), calls_gateway=True),
    "transfer_overdue": Kind(_transfer_overdue, (60,)),
    "mail_transfer_told": Kind(_mailing(mail_transfer_told), _MAIL_PAUSES, _DAY, can_wait=True),
    "mail_transfer_refused": Kind(_mailing(mail_transfer_refused), _MAIL_PAUSES, _DAY, can_wait=True),
    "mail_license": Kind(_mailing(mail_license), _MAIL_PAUSES, _DAY, can_wait=True),
    "mail_license_revoked": Kind(_mailing(mail_license_revoked), _MAIL_PAUSES, _DAY, can_wait=True),
    "mail_new_device": Kind(_mailing(mail_new_device), _MAIL_PAUSES, _DAY, can_wait=True),
    "mail_register_again": Kind(_mailing(mail_register_again), _MAIL_PAUSES, _DAY, can_wait=True),
    # A link once drawn lives half an hour, sent or not: the next try comes well before its end.
    "mail_reset": Kind(_mailing(mail_reset), _MAIL_PAUSES[:-1], _DAY, can_wait=True),
}


def _do_not_know(claim: Claim, _tools: Tools) -> None:
    raise NotYet(f"no handler for {claim.kind}")


UNKNOWN = Kind(_do_not_know, (60,), _DAY)
"""Of a row of a kind that only newer code knows: during a deployment it waits for that."""
