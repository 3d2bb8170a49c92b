"""Begin a checkout once, however often the same call comes.

The caller's key and the order are inserted in one transaction, so there is never an order without the key
that asked for it. A call that finds its key without an answer goes on where the first one died.
"""

from collections.abc import Callable
from dataclasses import dataclass

from portal.catalogue.queries import Terms, terms_of
from portal.idempotency import services as idempotency
from portal.idempotency.services import Call, Claim
from portal.kit import faults
from portal.kit.db import transactional
from portal.learners.models import Learner
from portal.payments.attempts import live_attempt
from portal.payments.models import PaymentStatus
from portal.payments.open import open_payment
from portal.payments.queries import order_id_of
from portal.payments.start import Begun, record_checkout
from portal.tools import Tools

_CREATED, _OK = 201, 200


@dataclass(frozen=True)
class BegunOnce:
    """The order of a call, and the claim to answer it under. `status` tells a new order from an open one."""

    claim: Claim
    order_public_id: str
    status: int

    @property
    def answer(self) -> str | None:
        """The answer this call got before, or None when it is still to be written."""
        return self.claim.answer


Recording = Callable[[Learner, Terms, int | None, Tools], Begun]
"""How an order and its first attempt are put on record: one function for each way to pay."""


def begin_checkout_once(
    learner: Learner, course_id: str, asked: Call, tools: Tools, record: Recording = record_checkout
) -> BegunOnce:
    """Return the learner's open order for a course, placing it and asking the gateway when there is none.

    Whoever gets a `BegunOnce` without an answer ends the call with `idempotency.finish` or `release`.

    Raises:
        NotFound, AlreadyOwned, NotForSale, TooMany, SalesPaused, GatewayAway, IdempotencyMismatch, InProgress:
            nothing was recorded.
    """
    begun, payment_id = _record_once(learner, course_id, asked, tools, record)
    if payment_id is None or begun.answer is not None:
        return begun
    faults.point("order.after_commit")
    try:
        open_payment(payment_id, tools)
    except BaseException:
        idempotency.release(begun.claim)
        raise
    return begun


@transactional
def _record_once(
    learner: Learner, course_id: str, asked: Call, tools: Tools, record: Recording
) -> tuple[BegunOnce, int | None]:
    claim = idempotency.claim(asked)
    if claim.subject_id is not None and claim.status is not None:
        begun = BegunOnce(claim, claim.subject_id, claim.status)
        return begun, None if claim.answer is not None else _unopened_attempt(claim.subject_id)
    recorded = record(learner, terms_of(course_id), None, tools)
    status = _OK if recorded.payment_id is None else _CREATED
    idempotency.note(claim, recorded.order_public_id, status)
    return BegunOnce(claim, recorded.order_public_id, status), recorded.payment_id


def _unopened_attempt(order_public_id: str) -> int | None:
    """Return the attempt for which the gateway has given no code yet: where a call that died may have stopped."""
    payment = live_attempt(order_id_of(order_public_id))
    return payment.id if payment is not None and payment.status == PaymentStatus.CREATED else None
