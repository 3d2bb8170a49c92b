"""Browsers that are signed in: begin, recognise, list and end their sessions."""

import logging
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from portal.audit import services as audit
from portal.kit import clock, ids
from portal.kit.db import changed_one, db, read, table_of, transactional
from portal.kit.errors import NotFound, PortalError
from portal.learners.models import Learner, LoginSession, Role, buyer_tag

log = logging.getLogger(__name__)

SESSIONS_ALLOWED = 10
LEARNER_LIFETIME, STAFF_LIFETIME = timedelta(days=30), timedelta(hours=12)
LEARNER_IDLE, STAFF_IDLE = timedelta(days=14), timedelta(minutes=30)
_TOUCH_EVERY = timedelta(minutes=5)


def actor(learner: "Person") -> str:
    """Return how the audit names a person: never by e-mail address."""
    return f"learner:{learner.public_id}"


class SignedOut(PortalError):
    """Who was let in is so no more: the password, the role or the account changed meanwhile, or the session ended."""

    status = 401
    code = "unauthenticated"


class Standing(NamedTuple):
    """What an account was when somebody was let in; `session` is its public id, or None: they showed a password."""

    learner_id: int
    role: str
    password_changed_at: datetime | None
    session: str | None


def standing_of(person: "Person") -> Standing:
    """Return what somebody was judged by. Before a transaction: one that is repeated reads a `Learner` anew."""
    session = person.session_public_id if isinstance(person, Reader) else None
    return Standing(person.id, person.role, person.password_changed_at, session)


def check_standing(standing: Standing) -> None:
    """Lock the account in the running transaction, and see that whoever was let in would be so now.

    What changes an account ends its sessions with it: it comes before this look, or ends what begins after it.

    Raises:
        SignedOut.
    """
    account = db.session.execute(
        sa.select(Learner.role, Learner.password_changed_at)
        .where(Learner.id == standing.learner_id, Learner.disabled_at.is_(None))
        .with_for_update()
    ).first()
    if account is None or tuple(account) != (standing.role, standing.password_changed_at):
        raise SignedOut
    if standing.session is not None:
        own = sa.select(LoginSession.id).where(LoginSession.public_id == standing.session)
        if db.session.scalar(own.with_for_update()) is None:
            raise SignedOut


def start_session(
    person: "Person", user_agent: str, address: str, second_factor_at: datetime | None = None
) -> str:
    """Begin a session and return its secret, which is kept nowhere but in the browser.

    An account has at most ten; the oldest make room.

    Args:
        person: whose password was right; or whose session the new one takes the place of, which ends it.
        second_factor_at: when the second factor was just shown.

    Raises:
        SignedOut: the person may not be let in any more.
    """
    now, secret = clock.now(), ids.new_secret()
    values = {
        "public_id": ids.new_public_id(),
        "token_hash": ids.secret_hash(secret),
        "learner_id": person.id,
        "user_agent": _one_line(user_agent)[:255],
        "address": address[:45],
        "created_at": now,
        "last_seen_at": now,
        "second_factor_at": second_factor_at,
        "expires_at": now + (LEARNER_LIFETIME if person.role == Role.LEARNER else STAFF_LIFETIME),
    }
    _start(person, standing_of(person), values)
    return secret


@transactional
def _start(person: "Person", standing: Standing, values: dict[str, Any]) -> None:
    own = sa.select(LoginSession.id).where(LoginSession.token_hash == values["token_hash"])
    if db.session.scalar(own) is not None:
        return  # The connection was lost while committing it.
    # The account's lock also keeps two sign-ins at once from counting the same ten.
    check_standing(standing)
    if isinstance(person, Reader):
        end_session(person, person.session_public_id)
    db.session.add(LoginSession(**values))
    db.session.flush()
    _end_oldest(person.id)
    subject = f"session:{values['public_id']}"
    audit.record("session.started", subject, actor(person), address=values["address"])


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _end_oldest(learner_id: int) -> None:
    query = (
        sa.select(LoginSession.id)
        .where(LoginSession.learner_id == learner_id)
        .order_by(LoginSession.created_at.desc(), LoginSession.id.desc())
        .offset(SESSIONS_ALLOWED)
    )
    surplus = list(db.session.scalars(query))
    if surplus:
        db.session.execute(sa.delete(LoginSession).where(LoginSession.id.in_(surplus)))


def _alive() -> sa.ColumnElement[bool]:
    """Return the condition that a session counts at the moment `now`; whoever uses it gives `_moments()` too."""
    learner, session = table_of(Learner).c, table_of(LoginSession).c
    is_learner = learner.role == Role.LEARNER.value
    return sa.and_(
        session.expires_at > sa.bindparam("now"),
        learner.disabled_at.is_(None),
        sa.or_(
            sa.and_(is_learner, session.last_seen_at > sa.bindparam("learner_seen_since")),
            sa.and_(sa.not_(is_learner), session.last_seen_at > sa.bindparam("staff_seen_since")),
        ),
    )


def _moments() -> dict[str, datetime]:
    now = clock.now()
    return {"now": now, "learner_seen_since": now - LEARNER_IDLE, "staff_seen_since": now - STAFF_IDLE}


class Reader(NamedTuple):
    """Who is signed in at a browser: what most pages need of the account and of its session."""

    id: int
    """Of the learner."""
    public_id: str
    email: str
    role: str
    password_changed_at: datetime | None
    locale: str
    session_id: int
    session_public_id: str
    last_seen_at: datetime
    second_factor_at: datetime | None

    @property
    def tag(self) -> str:
        """The mark of the buyer, as `Learner.tag`."""
        return buyer_tag(self.public_id)


Person: TypeAlias = Learner | Reader
"""Somebody with an account, whether the whole row was read or only what is in `Reader`."""

# Columns, put together once: it is asked with every request of everybody who is signed in.
_learners, _sessions = table_of(Learner).c, table_of(LoginSession).c
_READER = sa.select(
    _learners.id,
    _learners.public_id,
    _learners.email,
    _learners.role,
    _learners.password_changed_at,
    _learners.locale,
    _sessions.id,
    _sessions.public_id,
    _sessions.last_seen_at,
    _sessions.second_factor_at,
).where(
    _sessions.token_hash == sa.bindparam("token_hash"),
    _sessions.learner_id == _learners.id,
    _alive(),
)


def session_of(secret: str) -> Reader | None:
    """Return who has this secret, or None when the session is over, idle too long, ended or never was.

    One statement; at most every five minutes a second one notes that the session is in use.
    """
    rows = read(_READER, {"token_hash": ids.secret_hash(secret), **_moments()})
    if not rows:
        return None
    reader = Reader._make(rows[0])
    if clock.now() - reader.last_seen_at >= _TOUCH_EVERY:
        _try_to_touch(reader.session_id)
    return reader


def login_session_by_id(session_id: int) -> LoginSession | None:
    """Return the session with this id."""
    return db.session.get(LoginSession, session_id)


@transactional
def _touch(session_id: int) -> None:
    db.session.execute(
        sa.update(LoginSession).where(LoginSession.id == session_id).values(last_seen_at=clock.now())
    )


def _try_to_touch(session_id: int) -> None:
    try:
        _touch(session_id)
    except OperationalError:
        # A database that cannot write (disk full, locked) still serves pages; the next one notes it.
        log.warning("session not touched", extra={"session_id": session_id})


@transactional
def note_second_factor(session: LoginSession) -> None:
    """Note that a code of the second factor was entered in a session just now.

    Raises:
        SignedOut: the session ended meanwhile.
    """
    now = clock.now()
    noted = db.session.execute(
        sa.update(LoginSession)
        .where(LoginSession.id == session.id)
        .values(second_factor_at=now, last_seen_at=now)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(noted):
        raise SignedOut
    session.second_factor_at = now


def sessions_of(learner_id: int) -> list[LoginSession]:
    """Return the sessions in which a learner is signed in now, the one used last first."""
    query = (
        sa.select(LoginSession)
        .join(Learner, LoginSession.learner_id == Learner.id)
        .where(Learner.id == learner_id, _alive())
        .order_by(LoginSession.last_seen_at.desc(), LoginSession.id.desc())
    )
    return list(db.session.scalars(query, _moments()))


@transactional
def end_session(learner: Person, public_id: str) -> None:
    """End one of the learner's sessions; its next request is nobody's.

    Raises:
        NotFound: when there is none, or it is another's.
    """
    ended = db.session.execute(
        sa.delete(LoginSession).where(
            LoginSession.public_id == public_id, LoginSession.learner_id == learner.id
        )
    )
    if not changed_one(ended):
        raise NotFound
    audit.record("session.ended", f"session:{public_id}", actor(learner))


@transactional
def end_other_sessions(learner: Person, kept_id: int | None, ended_by: str | None = None) -> int:
    """End all of the learner's sessions but the one with the id `kept_id` (None: all), and return how many that were.

    `ended_by` is who does it, as the audit names them; None: the learner.
    """
    ended = db.session.execute(
        sa.delete(LoginSession).where(
            LoginSession.learner_id == learner.id,
            sa.true() if kept_id is None else LoginSession.id != kept_id,
        )
    )
    count = int(getattr(ended, "rowcount", 0))
    if count:
        audit.record("sessions.ended", actor(learner), ended_by or actor(learner), count=count)
    return count


@transactional
def sweep_sessions() -> int:
    """Delete sessions whose time is over, and return how many."""
    over = sa.delete(LoginSession).where(LoginSession.expires_at <= clock.now())
    return int(getattr(db.session.execute(over), "rowcount", 0))
