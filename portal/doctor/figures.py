"""How far behind the portal is: the figures that metrics publish and the doctor judges. All are indexed reads."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.cases.models import Case, CaseKind, CaseStatus
from portal.gateways.health import GatewayHealth
from portal.kit import clock
from portal.kit.db import db
from portal.orders.models import Order, OrderStatus
from portal.outbox.models import Job, JobStatus
from portal.payments.models import Payment, PaymentStatus
from portal.reconciliation.models import BillRun

UNKNOWN_FOR = timedelta(minutes=10)
LATE = timedelta(minutes=5)
"""Work that has been due for so long is late."""


def outbox_lag() -> timedelta:
    """Return how long the oldest work that is due has been due; zero when nothing waits."""
    now = clock.now()
    oldest = db.session.scalar(
        sa.select(sa.func.min(Job.due_at)).where(Job.status == JobStatus.PENDING.value, Job.due_at <= now)
    )
    return timedelta(0) if oldest is None else now - oldest


@dataclass(frozen=True)
class Waiting:
    """Work of one kind that is not done: how much, since when the oldest is due, and how often one was tried."""

    kind: str
    count: int
    due_at: datetime
    attempts: int

    @property
    def is_late(self) -> bool:
        """Tell whether the oldest should have been done a while ago."""
        return clock.now() - self.due_at > LATE


def work_waiting() -> list[Waiting]:
    """Return what waits in the outbox, the longest due first."""
    rows = db.session.execute(
        sa.select(Job.kind, sa.func.count(), sa.func.min(Job.due_at), sa.func.max(Job.attempts))
        .where(Job.status == JobStatus.PENDING.value)
        .group_by(Job.kind)
    )
    return sorted((Waiting(*row) for row in rows), key=lambda waiting: waiting.due_at)


def dead_work() -> int:
    """Return how many pieces of work were given up, ever."""
    return _count(Job, Job.status == JobStatus.DEAD.value)


def open_cases() -> dict[str, int]:
    """Return how many cases of each kind wait for a person."""
    rows = db.session.execute(
        sa.select(Case.kind, sa.func.count()).where(Case.status == CaseStatus.OPEN.value).group_by(Case.kind)
    )
    return {row[0]: row[1] for row in rows}


def paid_without_license() -> int:
    """Return how many orders are paid and wait for their license."""
    return _count(Order, Order.status == OrderStatus.PAID.value)


def long_unknown() -> int:
    """Return how many live attempts have had no answer from their gateway for ten minutes."""
    return _count(
        Payment,
        Payment.open_key.is_not(None),
        Payment.status == PaymentStatus.CREATED.value,
        Payment.created_at < clock.now() - UNKNOWN_FOR,
    )


def undecided_dead_work() -> int:
    """Return how many pieces of work were given up and not decided about since."""
    return _count(Case, Case.kind == CaseKind.DEAD_LETTER.value, Case.status == CaseStatus.OPEN.value)


def open_breakers() -> dict[str, timedelta]:
    """Return the gateways whose calls are held back, and for how long they have been."""
    rows = db.session.execute(
        sa.select(GatewayHealth.gateway, GatewayHealth.opened_at).where(GatewayHealth.opened_at.is_not(None))
    )
    now = clock.now()
    return {gateway: now - opened_at for gateway, opened_at in rows if opened_at is not None}


def since_reconciliation() -> timedelta | None:
    """Return how long ago a day was last compared with its bill; None when none ever was."""
    last = db.session.scalar(sa.select(sa.func.max(BillRun.compared_at)))
    return None if last is None else clock.now() - last


def since_first_payment() -> timedelta | None:
    """Return how long ago the first attempt was begun; None when there is none."""
    first = db.session.scalar(sa.select(Payment.created_at).order_by(Payment.id).limit(1))
    return None if first is None else clock.now() - first


def _count(model: type[Case | Job | Order | Payment], *conditions: sa.ColumnElement[bool]) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0
