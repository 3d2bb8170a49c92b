"""Learners for tests."""

import functools
import itertools

from flask.testing import FlaskClient

from portal.kit import clock, ids
from portal.kit.db import db, transaction
from portal.learners import passwords, sessions
from portal.learners.models import STAFF, Learner, Locale, Role

PASSWORD = "a long and quiet password"
_numbers = itertools.count(1)


@functools.cache
def _hash_of(password: str) -> str:
    # Hashing is slow on purpose; one of each password is enough for a test run.
    return passwords.hashed(password)


def make_learner(
    email: str | None = None, password: str = PASSWORD, role: Role = Role.LEARNER, locale: Locale = Locale.EN
) -> Learner:
    """Make an account; call inside an application context."""
    learner = Learner(
        public_id=ids.new_public_id(),
        email=email or f"learner{next(_numbers)}@example.com",
        password_hash=_hash_of(password),
        role=role.value,
        locale=locale.value,
        created_at=clock.now(),
    )
    with transaction():
        db.session.add(learner)
    db.session.expunge(learner)
    return learner


def sign_in(client: FlaskClient, learner: Learner, shows_code: bool = True) -> None:
    """Give the client a session of the learner's, as signing in would, for staff with a code just entered."""
    with client.application.app_context():
        shown_at = clock.now() if learner.role in STAFF and shows_code else None
        secret = sessions.start_session(learner, "test browser", "127.0.0.1", shown_at)
    with client.session_transaction() as cookie:
        cookie.clear()
        cookie["secret"] = secret
