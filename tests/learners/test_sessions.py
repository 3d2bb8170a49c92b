"""Sessions: begun, recognised by their secret alone, and ended from anywhere."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from portal.kit import ids
from portal.kit.db import db
from portal.kit.errors import NotFound
from portal.learners import sessions
from portal.learners.models import Learner, LoginSession, Role
from portal.learners.sessions import session_of, start_session
from tests.factories.learners import make_learner
from tests.support.losing import lost_commit
from tests.support.statements import counted_statements

pytestmark = pytest.mark.database


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def statements(app):
    """Collect the SQL statements that are run."""
    with counted_statements(app) as seen:
        yield seen


def found(secret):
    """Return who has a secret that is good."""
    known = session_of(secret)
    assert known
    return known


def test_the_secret_finds_the_learner_and_the_database_does_not_hold_it(learner):
    secret = start_session(learner, "Firefox", "203.0.113.9")
    assert found(secret).id == learner.id
    token_hash = db.session.scalar(sa.select(LoginSession.token_hash))
    assert token_hash == ids.secret_hash(secret)
    assert secret not in token_hash
    assert len(secret) >= 43


@pytest.mark.parametrize("secret", ["", "x", "x" * 10_000, "' OR 1=1 --", "秘密"])
def test_another_secret_is_nobodys(learner, secret):
    start_session(learner, "Firefox", "203.0.113.9")
    assert session_of(secret) is None


def test_recognising_is_one_statement(learner, statements):
    secret = start_session(learner, "Firefox", "203.0.113.9")
    statements.clear()
    session_of(secret)
    assert len(statements) == 1


def test_use_is_noted_every_five_minutes(learner, clock, statements):
    secret = start_session(learner, "Firefox", "203.0.113.9")
    clock.travel(minutes=4)
    statements.clear()
    found(secret)
    assert len(statements) == 1
    clock.travel(minutes=1, seconds=1)
    session_of(secret)
    assert clock.now() - found(secret).last_seen_at < timedelta(minutes=1)


def test_a_database_that_cannot_write_still_recognises(learner, clock, monkeypatch):
    secret = start_session(learner, "Firefox", "203.0.113.9")
    clock.travel(minutes=6)

    def full(_session_id):
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr(sessions, "_touch", full)
    assert session_of(secret)


@pytest.mark.parametrize(
    ("role", "idle", "absolute"),
    [
        (Role.LEARNER, timedelta(days=14), timedelta(days=30)),
        (Role.SUPPORT, timedelta(minutes=30), timedelta(hours=12)),
        (Role.ADMIN, timedelta(minutes=30), timedelta(hours=12)),
    ],
)
def test_idleness_and_age_end_a_session(clock, role, idle, absolute):
    learner = make_learner(role=role)
    idle_secret = start_session(learner, "Firefox", "203.0.113.9")
    clock.travel(seconds=idle.total_seconds() - 60)
    assert session_of(idle_secret)
    clock.travel(seconds=idle.total_seconds() + 1)
    assert session_of(idle_secret) is None

    busy_secret = start_session(learner, "Firefox", "203.0.113.9")
    step = idle / 2
    for _ in range(int(absolute / step) - 1):
        clock.travel(seconds=step.total_seconds())
        assert session_of(busy_secret)
    clock.travel(seconds=step.total_seconds() * 2)
    assert session_of(busy_secret) is None


def test_a_disabled_account_is_signed_in_nowhere(learner):
    secret = start_session(learner, "Firefox", "203.0.113.9")
    db.session.execute(sa.update(Learner).values(disabled_at=learner.created_at))
    db.session.commit()
    assert session_of(secret) is None


def test_the_eleventh_session_ends_the_first(learner, clock):
    secrets = []
    for _ in range(11):
        secrets.append(start_session(learner, "Firefox", "203.0.113.9"))
        clock.travel(seconds=1)
    assert session_of(secrets[0]) is None
    assert all(session_of(secret) for secret in secrets[1:])
    assert len(sessions.sessions_of(learner.id)) == 10


def test_a_lost_commit_begins_one_all_the_same(learner):
    first = start_session(learner, "Firefox", "203.0.113.9")
    with lost_commit():
        second = start_session(found(first), "Firefox", "203.0.113.9")
    assert session_of(first) is None
    assert session_of(second)
    assert len(sessions.sessions_of(learner.id)) == 1


def test_what_a_browser_says_of_itself_is_kept_on_one_line(learner):
    start_session(learner, "Fire\r\nfox\x00\u202e" + "x" * 999, "203.0.113.9")
    (session,) = sessions.sessions_of(learner.id)
    assert session.user_agent.startswith("Fire  fox  xxx")
    assert len(session.user_agent) == 255


class TestEnding:
    def test_an_ended_session_is_nobodys(self, learner):
        secret = start_session(learner, "Firefox", "203.0.113.9")
        known = found(secret)
        sessions.end_session(learner, known.session_public_id)
        assert session_of(secret) is None
        with pytest.raises(NotFound):
            sessions.end_session(learner, known.session_public_id)

    def test_anothers_cannot_be_ended(self, learner):
        secret = start_session(make_learner(), "Firefox", "203.0.113.9")
        with pytest.raises(NotFound):
            sessions.end_session(learner, found(secret).session_public_id)
        assert session_of(secret)

    def test_all_others_can(self, learner):
        stranger = start_session(make_learner(), "Firefox", "203.0.113.9")
        here, *others = (start_session(learner, "Firefox", "203.0.113.9") for _ in range(3))
        kept_id = found(here).session_id
        assert sessions.end_other_sessions(learner, kept_id) == 2
        assert session_of(here)
        assert session_of(stranger)
        assert not any(session_of(secret) for secret in others)
        assert sessions.end_other_sessions(learner, kept_id) == 0

    def test_the_list_shows_only_what_is_alive(self, learner, clock):
        start_session(learner, "Firefox", "203.0.113.9")
        clock.travel(days=15)
        start_session(learner, "Safari", "203.0.113.9")
        assert [session.user_agent for session in sessions.sessions_of(learner.id)] == ["Safari"]

    def test_what_is_over_is_swept(self, learner, clock):
        start_session(learner, "Firefox", "203.0.113.9")
        assert sessions.sweep_sessions() == 0
        clock.travel(days=31)
        assert sessions.sweep_sessions() == 1
        assert db.session.scalar(sa.select(sa.func.count()).select_from(LoginSession)) == 0
