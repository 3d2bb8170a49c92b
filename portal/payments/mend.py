"""Find what was left behind and set it going again: the last net under every other mechanism.

Each fact is born together with the work that follows it, so nothing here should ever find anything. It looks at
open attempts and paid orders, which are few, and at the newest rights; the doctor looks at all of them.
"""

import logging
from datetime import timedelta

import sqlalchemy as sa

from portal.cases.models import CaseKind
from portal.cases.services import open_case
from portal.kit import clock, faults
from portal.kit.db import db, transactional
from portal.licenses.models import Entitlement, EntitlementStatus, License
from portal.orders.models import Order, OrderStatus
from portal.outbox import services as outbox
from portal.outbox.models import Job, JobStatus
from portal.payments.attempts import TRANSFER
from portal.payments.models import Payment, PaymentStatus

log = logging.getLogger(__name__)

_UNDER_WAY = timedelta(minutes=2)
_NEWEST = 5_000


def mend() -> int:
    """Put work on record that is missing, and open cases for what work cannot mend; return how many were found."""
    missing = [
        *_attempts_without_work(),
        *_closings_without_work(),
        *_orders_without_license(),
        *_licenses_without_mail(),
    ]
    for kind, subject_id in missing:
        _set_going(kind, subject_id)
    lost = _rights_without_license()
    for order_id, public_id in lost:
        _open_case(order_id, public_id)
    return len(missing) + len(lost)


def _attempts_without_work() -> list[tuple[str, str]]:
    """Live attempts of open orders that nothing opens or watches."""
    kind = sa.case((Payment.status == PaymentStatus.CREATED.value, "open_payment"), else_="watch_payment")
    rows = db.session.execute(
        sa.select(kind, Payment.id)
        .select_from(Payment)
        .join(Order, Order.id == Payment.order_id)
        .outerjoin(
            Job,
            sa.and_(
                Job.status == JobStatus.PENDING.value,
                Job.effect_key == sa.func.replace(sa.func.replace("kind:id", "kind", kind), "id", Payment.id),
            ),
        )
        .where(
            Payment.open_key.is_not(None),
            # Nothing watches a transfer: people tell of it.
            Payment.gateway != TRANSFER,
            Payment.created_at < clock.now() - _UNDER_WAY,
            Order.expires_at > clock.now(),
            Order.closing.is_(None),
            Job.id.is_(None),
        )
    )
    return [(row[0], str(row[1])) for row in rows]


def _closings_without_work() -> list[tuple[str, str]]:
    """Orders that are closing, and that nothing brings to their end."""
    rows = db.session.execute(
        sa.select(Order.id)
        .outerjoin(
            Job,
            sa.and_(
                Job.status == JobStatus.PENDING.value,
                Job.effect_key == sa.func.replace("close_order:id", "id", Order.id),
            ),
        )
        .where(
            Order.status == OrderStatus.PENDING.value,
            Order.closing.is_not(None),
            Order.created_at < clock.now() - _UNDER_WAY,
            Job.id.is_(None),
        )
    )
    return [("close_order", str(row.id)) for row in rows]


def _orders_without_license() -> list[tuple[str, str]]:
    """Paid orders whose license nobody is making."""
    rows = db.session.execute(
        sa.select(Entitlement.id)
        .join(Order, Order.id == Entitlement.order_id)
        .outerjoin(
            Job,
            sa.and_(
                Job.status == JobStatus.PENDING.value,
                Job.effect_key == sa.func.replace("issue_license:id", "id", Entitlement.id),
            ),
        )
        .where(
            Order.status == OrderStatus.PAID.value,
            Order.paid_at < clock.now() - _UNDER_WAY,
            Job.id.is_(None),
        )
    )
    return [("issue_license", str(row.id)) for row in rows]


def _newest_rights() -> sa.ColumnElement[bool]:
    last = sa.select(sa.func.max(Entitlement.id)).scalar_subquery()
    return sa.and_(
        Entitlement.id > last - _NEWEST,
        Entitlement.order_id.is_not(None),
        Entitlement.status == EntitlementStatus.ACTIVE.value,
    )


def _licenses_without_mail() -> list[tuple[str, str]]:
    """Licenses that were bought, and that no mail was ever to carry."""
    mailing = sa.exists().where(Job.kind == "mail_license", Job.subject_id == License.id)
    rows = db.session.execute(
        sa.select(License.id)
        .join(Entitlement, License.active_key == Entitlement.id)
        .where(
            _newest_rights(), License.revision == 1, License.issued_at < clock.now() - _UNDER_WAY, ~mailing
        )
    )
    return [("mail_license", row.id) for row in rows]


def _rights_without_license() -> list[tuple[int, str]]:
    """Rights of completed orders, and paid orders without a right: there is nothing to sign a license from."""
    completed = (
        sa.select(Order.id, Order.public_id)
        .join(Entitlement, Entitlement.order_id == Order.id)
        .outerjoin(License, License.active_key == Entitlement.id)
        .where(_newest_rights(), Order.status == OrderStatus.COMPLETED.value, License.id.is_(None))
    )
    paid = (
        sa.select(Order.id, Order.public_id)
        .outerjoin(Entitlement, Entitlement.order_id == Order.id)
        .where(
            Order.status == OrderStatus.PAID.value,
            Order.paid_at < clock.now() - _UNDER_WAY,
            Entitlement.id.is_(None),
        )
    )
    return [(row.id, row.public_id) for row in db.session.execute(completed.union_all(paid))]


@transactional
def _set_going(kind: str, subject_id: str) -> None:
    log.error("work was missing", extra={"alert": True, "job_kind": kind, "subject_id": subject_id})
    outbox.ensure(kind, f"{kind}:{subject_id}", subject_id)
    faults.point("mend.before_commit")


@transactional
def _open_case(order_id: int, public_id: str) -> None:
    evidence = {"reason": "the order is paid and has no license", "order": public_id}
    open_case(CaseKind.DEAD_LETTER, f"license:{public_id}", evidence, order_id=order_id)
