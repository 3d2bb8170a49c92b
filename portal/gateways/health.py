"""How each gateway has been answering: one row, written on failure and recovery, that all processes share."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, UtcDateTime, db, identifier


class GatewayHealth(Base):
    """One gateway. `opened_at` is set while the breaker is open; `probe_at` is when one call may go out then.

    `next_turn_at` is the next free moment for a worker's call. `keys_wanted_at` is set when a message named a
    key that we do not hold; `keys_tried_at` is when the keys were last fetched for that reason.
    """

    __tablename__ = "gateway_health"

    gateway: Mapped[str] = mapped_column(identifier(16), primary_key=True)
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    last_failure: Mapped[str | None] = mapped_column(sa.String(64))
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    probe_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_turn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    keys_wanted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    keys_tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def ensure_row(gateway: str) -> None:
    """Have a row for `gateway`, in the running transaction.

    Raises:
        IntegrityError: another was first (`transactional` looks again).
    """
    known = sa.select(GatewayHealth.gateway).where(GatewayHealth.gateway == gateway)
    if db.session.scalar(known) is None:
        db.session.execute(sa.insert(GatewayHealth).values(gateway=gateway, failures=0))


def update_row(gateway: str, *conditions: sa.ColumnElement[bool]) -> sa.Update:
    """Return an UPDATE of the row of `gateway` where `conditions` hold, for a compare-and-set."""
    return (
        sa.update(GatewayHealth)
        .where(GatewayHealth.gateway == gateway, *conditions)
        .execution_options(synchronize_session=False)
    )
