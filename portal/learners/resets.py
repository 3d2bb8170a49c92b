"""Links for a new password: asked for, mailed, used once."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from portal.audit import services as audit
from portal.kit import clock, ids
from portal.kit.db import changed_one, db, transactional
from portal.kit.errors import NotFound
from portal.learners import addresses, passwords, throttle
from portal.learners.models import Learner, PasswordReset
from portal.learners.queries import learner_with
from portal.learners.services import is_stored, set_password
from portal.learners.sessions import actor
from portal.outbox import services as outbox

LIFETIME = timedelta(minutes=30)
_UNSENT_LIFETIME = timedelta(days=1)


class LinkSpent(NotFound):
    """The link is unknown, too old, or has been used."""

    code = "link_spent"


@dataclass(frozen=True)
class ResetMail:
    """What the mail with the link needs; `token` exists only here and in the mail."""

    email: str
    locale: str
    token: str


def request_reset(email: str) -> None:
    """Have a link mailed to the stored address of the account, if there is one.

    The caller learns nothing: a known account and an unknown one take the same try, in one transaction
    each, and a fourth request within an hour ends like the first.
    """
    tried = addresses.normalised(email)
    try:
        _add_reset(tried)
    except throttle.TooManyTries:
        return


@transactional
def _add_reset(address: str) -> None:
    throttle.take_try(throttle.RESET, address)
    learner = learner_with(address)
    if learner is None or learner.disabled_at is not None:
        return
    reset = PasswordReset(learner_id=learner.id, expires_at=clock.now() + _UNSENT_LIFETIME)
    db.session.add(reset)
    db.session.flush()
    outbox.add("mail_reset", f"mail_reset:{reset.id}", reset.id)
    audit.record("learner.reset_requested", actor(learner), "anonymous")


@transactional
def draw_token(reset_id: int) -> ResetMail | None:
    """Draw the secret of a link, when its mail is being written; None when it is not wanted any more.

    A second drawing for the same link replaces the first, whose mail is then of no use: a mail that may
    have been sent already must not carry the Message-ID of the next.
    """
    token, now = ids.new_secret(), clock.now()
    drawn = db.session.execute(
        sa.update(PasswordReset)
        .where(PasswordReset.id == reset_id, PasswordReset.used_at.is_(None), PasswordReset.expires_at > now)
        .values(token_hash=ids.secret_hash(token), expires_at=now + LIFETIME)
    )
    if not changed_one(drawn):
        return None
    learner = db.session.execute(
        sa.select(Learner)
        .join(PasswordReset, PasswordReset.learner_id == Learner.id)
        .where(PasswordReset.id == reset_id)
    ).scalar_one()
    if learner.disabled_at is not None:
        return None
    return ResetMail(learner.email, learner.locale, token)


def _is_good(token: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        PasswordReset.token_hash == ids.secret_hash(token),
        PasswordReset.used_at.is_(None),
        PasswordReset.expires_at > clock.now(),
    )


def learner_of_link(token: str) -> Learner:
    """Return whose link this is; looking at it does not use it up.

    Raises:
        LinkSpent.
    """
    learner = db.session.scalar(
        sa.select(Learner)
        .join(PasswordReset, PasswordReset.learner_id == Learner.id)
        .where(_is_good(token), Learner.disabled_at.is_(None))
    )
    if learner is None:
        raise LinkSpent
    return learner


def reset_password(token: str, new_password: str) -> Learner:
    """Set a new password and end all sessions; the link, and all others of the account, are used up.

    Raises:
        WeakPassword: the password may not be chosen; the link stays good.
        LinkSpent.
    """
    learner = learner_of_link(token)
    password_hash = passwords.hashed(passwords.checked(new_password, learner.email))
    _use_link(token, learner, password_hash)
    return learner


@transactional
def _use_link(token: str, learner: Learner, password_hash: str) -> None:
    used = db.session.execute(sa.update(PasswordReset).where(_is_good(token)).values(used_at=clock.now()))
    if not changed_one(used):
        if is_stored(learner, password_hash):
            return
        raise LinkSpent
    set_password(learner, password_hash, changed_by=actor(learner))


@transactional
def sweep_resets() -> int:
    """Delete links whose time is over, and return how many."""
    over = sa.delete(PasswordReset).where(PasswordReset.expires_at <= clock.now())
    return int(getattr(db.session.execute(over), "rowcount", 0))
