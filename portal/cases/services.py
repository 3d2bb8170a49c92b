"""Open cases."""

import logging
from typing import Any

import sqlalchemy as sa

from portal.cases.models import Case, CaseKind, CaseStatus
from portal.kit import clock
from portal.kit.db import db

log = logging.getLogger(__name__)


def open_case(
    kind: CaseKind,
    dedup_key: str,
    evidence: dict[str, Any],
    *,
    order_id: int | None = None,
    payment_id: int | None = None,
    amount_fen: int | None = None,
    currency: str | None = None,
) -> None:
    """Open a case in the running transaction, unless its cause has one already.

    Args:
        kind: why a person has to look.
        dedup_key: names the cause.
        evidence: ids and facts that help to decide; no secrets.
        order_id, payment_id: what it is about, where known.
        amount_fen: the money in question, in fen of `currency`.
    """
    key = f"{kind}:{dedup_key}"
    if db.session.scalar(sa.select(Case.id).where(Case.dedup_key == key)) is not None:
        return
    db.session.execute(
        sa.insert(Case).values(
            kind=kind.value,
            dedup_key=key,
            status=CaseStatus.OPEN.value,
            order_id=order_id,
            payment_id=payment_id,
            amount_fen=amount_fen,
            currency=currency,
            evidence=evidence,
            created_at=clock.now(),
        )
    )
    log.error("case opened", extra={"alert": True, "case_kind": kind.value, "case_key": key})
