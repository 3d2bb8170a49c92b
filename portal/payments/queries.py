"""Reads about purchases: an order together with its attempt, its license and what went wrong."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
import sqlalchemy.orm

from portal.cases.models import Case, CaseKind, CaseStatus
from portal.catalogue.models import Course
from portal.catalogue.queries import CourseCard
from portal.kit import clock
from portal.kit.db import db, read, table_of
from portal.kit.errors import NotFound
from portal.learners.sessions import Person
from portal.licenses.models import Entitlement, License
from portal.orders.models import Order, OrderFacts, OrderStatus
from portal.outbox.models import Job
from portal.payments.models import Payment

Row = TypeVar("Row")
Facts = TypeVar("Facts", "PaymentFacts", "LicenseFacts", "Sums")
_MONEY_CASES = (CaseKind.MISMATCH.value, CaseKind.DUPLICATE.value, CaseKind.LATE_UNWANTED.value)


@dataclass(frozen=True, slots=True)
class Sums:
    """What was paid, in fen; what of it refunds hold, what is back included; and what is back."""

    amount_fen: int
    reserved_fen: int
    refunded_fen: int


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """What is told of an attempt: columns of its row. `qr_svg` is there when it was asked for."""

    id: int
    gateway: str
    status: str
    code_url: str | None
    failure_code: str | None
    qr_svg: str | None


@dataclass(frozen=True, slots=True)
class LicenseFacts:
    """What is told of a license: columns of its row."""

    id: str
    course_id: str
    text: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Purchase:
    """An order and what belongs to it. `payment` is the open attempt, else the latest."""

    order: OrderFacts
    payment: PaymentFacts | None
    license: LicenseFacts | None
    was_code_shown: bool
    has_refund_due: bool
    """Money came that could not be applied and waits for a person or a refund."""
    buyer_tag: str
    bought_by: Sums | None = None
    """Of the attempt that the license stands on."""
    returned_fen: int = 0
    """What went back of all money that came for the order."""


def purchase_of(learner: Person, order_public_id: str, *, with_qr: bool = False) -> Purchase:
    """Return the learner's purchase; `with_qr` when the drawing of its code is wanted, which is large.

    Raises:
        NotFound: when there is none, or it is another's.
    """
    rows = read(_purchase(with_qr), {"public_id": order_public_id, "learner_id": learner.id})
    if not rows:
        raise NotFound
    columns = iter(rows[0])
    order = OrderFacts(*islice(columns, len(OrderFacts.__slots__)))
    payment = _next(PaymentFacts, columns)
    license_ = _next(LicenseFacts, columns)
    bought_by = _next(Sums, columns)
    was_code_shown, has_refund_due, returned_fen = columns
    return Purchase(
        order=order,
        payment=payment,
        license=license_ if order.status == OrderStatus.COMPLETED else None,
        was_code_shown=was_code_shown,
        has_refund_due=has_refund_due,
        buyer_tag=learner.tag,
        bought_by=bought_by,
        returned_fen=int(returned_fen or 0),
    )


def _next(kind: type[Facts], columns: Iterator[Any]) -> Facts | None:
    """Return what the next columns are of; None when the row they would come from is not there."""
    values = list(islice(columns, len(kind.__slots__)))
    return None if values[0] is None else kind(*values)


@functools.cache
def _purchase(with_qr: bool) -> sa.Select[Any]:
    """Return the one statement that reads an order with all that belongs to it."""
    orders, payments, rights, licenses = map(table_of, (Order, Payment, Entitlement, License))
    attempt, bought_by = payments.alias(), payments.alias()
    latest = sa.select(sa.func.max(attempt.c.id)).where(attempt.c.order_id == orders.c.id).scalar_subquery()
    returned = sa.select(sa.func.sum(attempt.c.refunded_fen)).where(attempt.c.order_id == orders.c.id)
    was_shown = sa.exists().where(attempt.c.order_id == orders.c.id, attempt.c.code_url.is_not(None))
    payment = _columns(payments, PaymentFacts)
    return (
        sa.select(
            *_columns(orders, OrderFacts),
            *(payment if with_qr else [*payment[:-1], sa.null()]),
            *_columns(licenses, LicenseFacts),
            *_columns(bought_by, Sums),
            was_shown,
            refund_is_due(),
            returned.scalar_subquery(),
        )
        .select_from(orders)
        .outerjoin(payments, payments.c.id == latest)
        .outerjoin(rights, rights.c.order_id == orders.c.id)
        .outerjoin(licenses, licenses.c.active_key == rights.c.id)
        .outerjoin(bought_by, bought_by.c.id == rights.c.payment_id)
        .where(
            orders.c.public_id == sa.bindparam("public_id"), orders.c.learner_id == sa.bindparam("learner_id")
        )
    )


def _columns(table: sa.FromClause, kind: type[Any]) -> list[sa.ColumnElement[Any]]:
    return [table.c[name] for name in kind.__slots__]


def refund_is_due() -> sa.ColumnElement[bool]:
    """Return the condition that money came for an order which buys nothing and waits for its way back."""
    return sa.exists().where(
        Case.order_id == Order.id,
        Case.kind.in_([sa.literal(kind) for kind in _MONEY_CASES]),
        Case.status == CaseStatus.OPEN.value,
    )


def order_id_of(order_public_id: str) -> int:
    """Return the row id of an order, for a caller who has found it to be the learner's."""
    return db.session.execute(sa.select(Order.id).where(Order.public_id == order_public_id)).scalar_one()


_orders = table_of(Order).c
_POLL = sa.select(
    _orders.public_id,
    _orders.version,
    _orders.status,
    _orders.closing,
    _orders.expires_at,
    _orders.paid_at,
    _orders.created_at,
).where(_orders.public_id == sa.bindparam("public_id"), _orders.learner_id == sa.bindparam("learner_id"))


def poll_row(learner_id: int, order_public_id: str) -> Any:
    """Return what tells a watching page whether anything changed: one indexed read of one row.

    Raises:
        NotFound: when there is no such order, or it is another's.
    """
    rows = read(_POLL, {"public_id": order_public_id, "learner_id": learner_id})
    if not rows:
        raise NotFound
    return rows[0]


class StandingKind(StrEnum):
    """What a visitor can do with a course: the one button of its page."""

    BUY = "buy"
    SIGN_IN = "sign_in"
    CONTINUE_PAYMENT = "continue_payment"
    PREPARING = "preparing"
    OWNED = "owned"
    FREE = "free"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Standing:
    """A visitor and a course. `order_id` and `license_id` are public ids, where the kind has one."""

    kind: StandingKind
    order_id: str | None = None
    license_id: str | None = None


def standing_of(learner_id: int | None, course: Course) -> Standing:
    """Return how a visitor (None: nobody signed in) stands to a course."""
    return standings_of(learner_id, [course])[course.id]


def standings_of(learner_id: int | None, courses: Sequence[Course | CourseCard]) -> dict[str, Standing]:
    """Return how a visitor stands to each of `courses`, by their ids, in two statements however many."""
    held: dict[str, Standing] = {}
    if learner_id is not None:
        held = {**_open_orders(learner_id), **_owned(learner_id)}
    anybody = StandingKind.SIGN_IN if learner_id is None else StandingKind.BUY

    def standing(course: Course | CourseCard) -> Standing:
        if course.is_free:
            return Standing(StandingKind.FREE)
        if course.id in held:
            return held[course.id]
        return Standing(anybody if course.is_on_sale else StandingKind.WITHDRAWN)

    return {course.id: standing(course) for course in courses}


def _open_orders(learner_id: int) -> dict[str, Standing]:
    rows = db.session.execute(
        sa.select(Order.product_id, Order.public_id).where(
            Order.learner_id == learner_id, Order.status == OrderStatus.PENDING.value
        )
    )
    return {row.product_id: Standing(StandingKind.CONTINUE_PAYMENT, order_id=row.public_id) for row in rows}


def _owned(learner_id: int) -> dict[str, Standing]:
    rows = db.session.execute(
        sa.select(Entitlement.course_id, License.id, Order.public_id)
        .outerjoin(License, License.active_key == Entitlement.id)
        .outerjoin(Order, Order.id == Entitlement.order_id)
        .where(
            Entitlement.learner_id == learner_id,
            Entitlement.active_key.is_not(None),
            Entitlement.expires_at > clock.now(),
        )
    )
    return {
        row.course_id: Standing(StandingKind.OWNED, license_id=row.id)
        if row.id is not None
        else Standing(StandingKind.PREPARING, order_id=row.public_id)
        for row in rows
    }


def mail_job_of(license_id: str) -> Job | None:
    """Return the latest mailing of a license: its status is the status of the mail."""
    return db.session.scalar(
        sa.select(Job)
        .where(Job.kind == "mail_license", Job.subject_id == license_id)
        .order_by(Job.id.desc())
        .limit(1)
    )
