"""Reads about long work: a batch, its log, its result piece by piece."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from portal.batches.models import Batch, BatchPart, BatchProblem
from portal.kit.db import db
from portal.kit.errors import NotFound

PROBLEMS_SHOWN = 200


def batch_of(public_id: str, created_by: int | None = None) -> Batch:
    """Return a batch as it is now.

    Args:
        created_by: whose it must be, by row id; None for somebody who may see everybody's.

    Raises:
        NotFound: there is none, or it is another's.
    """
    query = sa.select(Batch).where(Batch.public_id == public_id)
    if created_by is not None:
        query = query.where(Batch.created_by == created_by)
    batch = db.session.scalar(query.execution_options(populate_existing=True))
    if batch is None:
        raise NotFound
    return batch


def recent_batches(created_by: int | None, limit: int = 50) -> Sequence[Batch]:
    """Return the newest batches, of one person or (None) of everybody."""
    query = sa.select(Batch).order_by(Batch.id.desc()).limit(limit)
    if created_by is not None:
        query = query.where(Batch.created_by == created_by)
    return db.session.scalars(query.execution_options(populate_existing=True)).all()


def problems_of(batch_id: int) -> Sequence[BatchProblem]:
    """Return the first problems of a batch, in the order of the input; the result names them all."""
    query = sa.select(BatchProblem).where(BatchProblem.batch_id == batch_id)
    return db.session.scalars(query.order_by(BatchProblem.item).limit(PROBLEMS_SHOWN)).all()


def problem_count(batch_id: int) -> int:
    """Return how many items could not be done."""
    query = sa.select(sa.func.count()).where(BatchProblem.batch_id == batch_id)
    return db.session.scalar(query) or 0


def has_result(batch_id: int) -> bool:
    """Tell whether a batch has written anything that is still kept."""
    return (
        db.session.scalar(sa.select(BatchPart.id).where(BatchPart.batch_id == batch_id).limit(1)) is not None
    )


def result_of(batch_id: int) -> Iterator[str]:
    """Yield the result piece by piece, never holding more than one."""
    step = -1
    while True:
        part = db.session.execute(
            sa.select(BatchPart.step, BatchPart.text)
            .where(BatchPart.batch_id == batch_id, BatchPart.step > step)
            .order_by(BatchPart.step)
            .limit(1)
        ).first()
        if part is None:
            return
        step = part.step
        yield part.text
