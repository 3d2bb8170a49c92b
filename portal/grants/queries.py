"""Reads of grants."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm

from portal.batches.models import Batch
from portal.grants.models import Grant, GrantStatus
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.learners.models import Learner


def _grants() -> Any:
    """Return the statement that reads grants with the people in them, and the batch of a list."""
    asker, approver = sa.orm.aliased(Learner), sa.orm.aliased(Learner)
    return (
        sa.select(
            Grant,
            Learner.email.label("email"),
            asker.email.label("asked_by"),
            approver.email.label("approved_by"),
            Batch.public_id.label("batch"),
        )
        .outerjoin(Learner, Learner.id == Grant.learner_id)
        .join(asker, asker.id == Grant.requested_by)
        .outerjoin(approver, approver.id == Grant.approved_by)
        .outerjoin(Batch, Batch.id == Grant.batch_id)
        .execution_options(populate_existing=True)
    )


def grant_of(public_id: str) -> Any:
    """Return a grant with its people.

    Raises:
        NotFound: there is none.
    """
    row = db.session.execute(_grants().where(Grant.public_id == public_id)).first()
    if row is None:
        raise NotFound
    return row


def grants(
    status: GrantStatus | None, before: int | None, limit: int, requested_by: int | None
) -> Sequence[Any]:
    """Return grants, newest first.

    Args:
        status: only those that stand so.
        before: only those with a smaller row id: the next page.
        requested_by: only those of this person, by row id.
    """
    query = _grants().order_by(Grant.id.desc()).limit(limit)
    if status is not None:
        query = query.where(Grant.status == status.value)
    if before is not None:
        query = query.where(Grant.id < before)
    if requested_by is not None:
        query = query.where(Grant.requested_by == requested_by)
    return db.session.execute(query).all()
