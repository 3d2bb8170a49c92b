"""Record that a transfer was given back: people did it, in WeChat, and the portal sends nothing."""

import re

import sqlalchemy as sa

from portal.audit import services as audit
from portal.gateways.base import RefundNotice, RefundState
from portal.kit import clock
from portal.kit.db import db, transactional
from portal.kit.errors import Conflict, Invalid
from portal.learners.models import Learner
from portal.payments.attempts import TRANSFER
from portal.payments.models import VerifiedBy
from portal.payments.numbers import plain_number
from portal.refunds.models import Refund, RefundStatus
from portal.refunds.reserve import lock_refund
from portal.refunds.settle import settle_refund
from portal.tools import Tools

_NUMBER = re.compile(r"[0-9A-Z]{6,32}", re.ASCII)


class BadNumber(Invalid):
    """The number of a transfer back has 6 to 32 letters and digits; blanks and hyphens do not count."""

    code = "bad_number"


class NumberUsed(Conflict):
    """The transfer back with this number stands for another refund."""

    code = "number_used"


class NotByHand(Conflict):
    """The refund is not one that waits for people to give it back."""

    code = "not_by_hand"


@transactional
def record_returned(person: Learner, out_refund_no: str, number: str, tools: Tools) -> None:
    """Book an approved refund that somebody has made by hand.

    Args:
        number: of the transfer back, as the sender's WeChat shows it.

    Raises:
        NotFound: there is no such refund.
        BadNumber, NumberUsed, NotByHand: nothing was recorded.
    """
    number = plain_number(number)
    if not _NUMBER.fullmatch(number):
        raise BadNumber
    payment, refund = lock_refund(out_refund_no)
    if refund.gateway != TRANSFER or refund.status != RefundStatus.APPROVED:
        raise NotByHand
    used = sa.select(Refund.id).where(
        Refund.gateway == TRANSFER, Refund.refund_id == number, Refund.id != refund.id
    )
    if number == payment.transaction_id or db.session.scalar(used) is not None:
        raise NumberUsed
    notice = RefundNotice(
        gateway=TRANSFER,
        mchid=TRANSFER,
        out_refund_no=out_refund_no,
        state=RefundState.SUCCESS,
        refund_id=number,
        out_trade_no=payment.out_trade_no,
        transaction_id=payment.transaction_id,
        amount_fen=refund.amount_fen,
        total_fen=payment.amount_fen,
        currency=refund.currency,
        succeeded_at=clock.now(),
    )
    settle_refund(notice, VerifiedBy.PERSON, tools)
    actor = f"staff:{person.public_id}"
    audit.record("refund.returned_by_hand", f"refund:{out_refund_no}", actor, number=number)
