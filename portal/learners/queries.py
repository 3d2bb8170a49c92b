"""Reads of people."""

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
