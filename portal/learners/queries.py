"""Reads of people."""

from collections.abc import Iterable

import sqlalchemy as sa

from portal.kit.db import db
from portal.learners import addresses
from portal.learners.models import Learner


def learner_with(email: str) -> Learner | None:
    """Return the account of an e-mail address as somebody typed it."""
    address = addresses.normalised(email)
    if not address.isascii():
        return None
    return db.session.scalar(
        sa.select(Learner).where(Learner.email == address).execution_options(populate_existing=True)
    )


def learner_by_id(learner_id: int) -> Learner | None:
    """Return the account with this id."""
    return db.session.get(Learner, learner_id)


def emails_of(actors: Iterable[str | None]) -> dict[str | None, str]:
    """Return the addresses of those among `actors` (as the audit names them) who have an account."""
    ids = {actor: actor.partition(":")[2] for actor in actors if actor and ":" in actor}
    if not ids:
        return {}
    rows = db.session.execute(
        sa.select(Learner.public_id, Learner.email).where(Learner.public_id.in_(ids.values()))
    )
    found = {row.public_id: row.email for row in rows}
    return {actor: found[public_id] for actor, public_id in ids.items() if public_id in found}
