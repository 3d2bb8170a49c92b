"""Everything on record about one order, for whoever has to understand what happened."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.cases.models import Case
from portal.desk.models import OrderComment
from portal.disputes.models import Dispute
from portal.disputes.queries import disputes_of_order
from portal.gateways.calls import GatewayCall, calls_about
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.learners.models import Learner
from portal.ledger.models import LedgerEntry
from portal.licenses.models import Entitlement, License
from portal.notifications.models import Notification
from portal.orders.models import Order
from portal.outbox.models import Job
from portal.payments.history import order_state
from portal.payments.models import Payment
from portal.refunds.models import Refund

_MOST_ROWS = 200
_MAIL = "mail_license"


@dataclass(frozen=True)
class Story:
    """An order and all that hangs on it, each list the oldest first."""

    order: Order
    learner: Learner
    payments: Sequence[Payment]
    notifications: Sequence[Notification]
    entries: Sequence[LedgerEntry]
    licenses: Sequence[License]
    jobs: Sequence[Job]
    refunds: Sequence[Refund]
    cases: Sequence[Case]
    disputes: Sequence[Dispute]
    comments: Sequence[OrderComment]
    acts: Sequence[AuditRow]
    calls: Sequence[GatewayCall]

    @property
    def state(self) -> str:
        """The order's state in one word of the checkout's vocabulary."""
        paid = next((payment for payment in self.payments if payment.transaction_id), None)
        return order_state(self.order, paid.refunded_fen if paid else 0)

    @property
    def license(self) -> License | None:
        """The newest license."""
        return self.licenses[-1] if self.licenses else None


def story_of(order_public_id: str, courses: Collection[str] | None) -> Story:
    """Return an order with its whole story.

    Raises:
        NotFound: there is none, or it is of a course that the reader may not see.
    """
    order, learner = _order(order_public_id, courses)
    payments = _all(sa.select(Payment).where(Payment.order_id == order.id).order_by(Payment.id))
    numbers = [payment.out_trade_no for payment in payments]
    rights = _all(sa.select(Entitlement).where(Entitlement.order_id == order.id))
    licenses = _all(
        sa.select(License)
        .where(License.entitlement_id.in_([right.id for right in rights]))
        .order_by(License.revision)
    )
    refunds = _all(sa.select(Refund).where(Refund.order_id == order.id).order_by(Refund.id))
    by_number = Notification.out_trade_no.in_(numbers)
    return Story(
        order=order,
        learner=learner,
        payments=payments,
        notifications=_all(sa.select(Notification).where(by_number).order_by(Notification.id)),
        entries=_all(sa.select(LedgerEntry).where(LedgerEntry.order_id == order.id).order_by(LedgerEntry.id)),
        licenses=licenses,
        jobs=_jobs(order, payments, rights, licenses),
        refunds=refunds,
        cases=_all(sa.select(Case).where(Case.order_id == order.id).order_by(Case.id)),
        disputes=disputes_of_order(order.id),
        comments=_all(
            sa.select(OrderComment).where(OrderComment.order_id == order.id).order_by(OrderComment.id)
        ),
        acts=_acts(order, licenses, refunds),
        calls=calls_about([*numbers, *(refund.out_refund_no for refund in refunds)]),
    )


def _order(order_public_id: str, courses: Collection[str] | None) -> tuple[Order, Learner]:
    query = (
        sa.select(Order, Learner)
        .join(Learner, Learner.id == Order.learner_id)
        .where(Order.public_id == order_public_id)
        .execution_options(populate_existing=True)
    )
    if courses is not None:
        query = query.where(Order.product_id.in_(courses))
    row = db.session.execute(query).first()
    if row is None:
        raise NotFound
    return row[0], row[1]


def order_of(order_public_id: str, courses: Collection[str] | None) -> Order:
    """Return an order alone.

    Raises:
        NotFound: there is none, or it is of a course that the reader may not see.
    """
    return _order(order_public_id, courses)[0]


def _all(query: sa.Select[Any]) -> list[Any]:
    return list(db.session.scalars(query.limit(_MOST_ROWS).execution_options(populate_existing=True)))


def _jobs(
    order: Order, payments: Sequence[Payment], rights: Sequence[Entitlement], licenses: Sequence[License]
) -> list[Job]:
    """Return the work in the outbox that is about an order or what belongs to it, by kind and subject."""
    subjects = {
        "open_payment": [str(payment.id) for payment in payments],
        "watch_payment": [str(payment.id) for payment in payments],
        "close_order": [str(order.id)],
        "issue_license": [str(right.id) for right in rights],
        _MAIL: [license_.id for license_ in licenses],
    }
    about = [
        sa.and_(Job.kind == kind, Job.subject_id.in_(subject_ids))
        for kind, subject_ids in subjects.items()
        if subject_ids
    ]
    return _all(sa.select(Job).where(sa.or_(*about)).order_by(Job.id))


def _acts(order: Order, licenses: Sequence[License], refunds: Sequence[Refund]) -> list[AuditRow]:
    subjects = [
        f"order:{order.public_id}",
        *(f"license:{license_.id}" for license_ in licenses),
        *(f"refund:{refund.out_refund_no}" for refund in refunds),
    ]
    return _all(sa.select(AuditRow).where(AuditRow.subject.in_(subjects)).order_by(AuditRow.id))
