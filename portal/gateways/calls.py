"""What was asked of a gateway about an order or refund, and what it answered: a line for each call, for people to read.

A line is written after its call, in a transaction of its own. A process that dies in between loses the line; the
money does not hang on it, because what was about to be asked stood in the database before.
"""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit import clock
from portal.kit.db import Base, RowId, UtcDateTime, add_row_alone, db, identifier, transactional

log = logging.getLogger(__name__)

KEPT = timedelta(days=180)
_AT_ONCE = 5000
_MOST_SHOWN = 200
_NUMBER = re.compile(r"/(out-trade-no|refunds)/([^/?]+)")


class GatewayCall(Base):
    """A call about `number`: our number of an attempt or of a refund. `status` None: no answer.

    `verdict` is `ok` for an answer that is proven the gateway's or an error as it came, else what was wrong.
    """

    __tablename__ = "gateway_calls"
    __table_args__ = (sa.Index("ix_gateway_calls_number_id", "number", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    gateway: Mapped[str] = mapped_column(identifier(16))
    number: Mapped[str] = mapped_column(identifier(64))
    method: Mapped[str] = mapped_column(identifier(8))
    route: Mapped[str] = mapped_column(identifier(96))
    status: Mapped[int | None] = mapped_column(sa.Integer)
    verdict: Mapped[str] = mapped_column(identifier(64))
    request_id: Mapped[str | None] = mapped_column(identifier(128))
    ms: Mapped[int] = mapped_column(sa.Integer)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    @property
    def is_good(self) -> bool:
        """Tell whether the gateway answered and did what was asked."""
        return self.verdict == "ok" and self.status is not None and 200 <= self.status < 300


def about(target: str, fields: Mapping[str, Any] | None) -> tuple[str, str | None]:
    """Return a call's route, without numbers, and our number of what it is about; None: nothing of ours."""
    path = target.partition("?")[0]
    found = _NUMBER.search(path)
    if found is not None:
        return path.replace(found[2], "{number}", 1), found[2]
    number = (fields or {}).get("out_refund_no") or (fields or {}).get("out_trade_no")
    return path, number if isinstance(number, str) else None


def note_call(**facts: Any) -> None:
    """Write down a call that has come to its end; one that cannot be written is left out. No transaction may be open."""
    try:
        add_row_alone(GatewayCall, at=clock.now(), **facts)
    except sa.exc.SQLAlchemyError as error:
        log.warning("gateway call not noted", extra={"why": type(error).__name__})


def calls_about(numbers: Collection[str]) -> Sequence[GatewayCall]:
    """Return the newest calls about some numbers of ours, the oldest first."""
    query = sa.select(GatewayCall).where(GatewayCall.number.in_(numbers))
    newest = db.session.scalars(query.order_by(GatewayCall.id.desc()).limit(_MOST_SHOWN)).all()
    return newest[::-1]


@transactional
def sweep_calls() -> int:
    """Delete lines older than 180 days, some thousand at once, and return how many."""
    old = sa.select(GatewayCall.id).where(GatewayCall.at < clock.now() - KEPT)
    ids = list(db.session.scalars(old.order_by(GatewayCall.at).limit(_AT_ONCE)))
    if ids:
        db.session.execute(sa.delete(GatewayCall).where(GatewayCall.id.in_(ids)))
    return len(ids)
