"""Put a refund on record that was made at the gateway and not by us."""

from typing import Any

import sqlalchemy as sa

from portal.audit import services as audit
from portal.gateways.base import RefundNotice
from portal.kit import clock
from portal.kit.db import insert_row
from portal.outbox import services as outbox
from portal.refunds.models import LicenseEffect, Origin, Refund, RefundStatus
from portal.refunds.request import OVERDUE_AFTER
from portal.refunds.reserve import refund_for_update


def record_found(notice: RefundNotice, payment: Any) -> Refund:
    """Record it, holding nothing yet, in the running transaction, and return it locked.

    Whether its amount fits into the payment is found out when it succeeds.
    """
    assert notice.amount_fen is not None
    now = clock.now()
    refund_id = insert_row(
        sa.insert(Refund).values(
            payment_id=payment.id,
            order_id=payment.order_id,
            gateway=notice.gateway,
            mchid=notice.mchid,
            mode=payment.mode,
            out_refund_no=notice.out_refund_no,
            refund_id=notice.refund_id,
            amount_fen=notice.amount_fen,
            held_fen=0,
            currency=payment.currency,
            reason="",
            origin=Origin.CONSOLE.value,
            status=RefundStatus.APPROVED.value,
            license_effect=LicenseEffect.KEEP.value,
            requested_by=audit.SYSTEM,
            account=notice.account,
            created_at=now,
        )
    )
    outbox.add("refund_query", f"refund_query:{refund_id}", refund_id)
    outbox.add("refund_overdue", f"refund_overdue:{refund_id}", refund_id, due_at=now + OVERDUE_AFTER)
    audit.record("refund.found", f"refund:{notice.out_refund_no}", audit.SYSTEM, amount_fen=notice.amount_fen)
    return refund_for_update(refund_id)
