"""Make accounts, tell whether somebody is who they say, change passwords and languages."""

import logging

import sqlalchemy as sa
from sqlalchemy.orm.attributes import set_committed_value

from portal.audit import services as audit
from portal.kit import clock, ids
from portal.kit.db import changed_one, db, transactional
from portal.kit.errors import Conflict, PortalError
from portal.learners import addresses, passwords, throttle
from portal.learners.models import Learner, Locale, PasswordReset, Role
from portal.learners.queries import learner_with
from portal.learners.sessions import actor, end_other_sessions
from portal.outbox import services as outbox

log = logging.getLogger(__name__)


class BadCredentials(PortalError):
    """No account with this address and password. Which of the two is wrong is never told."""

    status = 401
    code = "bad_credentials"


class AddressTaken(Conflict):
    """The address has an account."""

    code = "address_taken"


def register(email: str, password: str, locale: Locale) -> Learner:
    """Make a learner's account.

    Sending the same form twice gives the same account: with the account's own password this is a
    sign-in. Anything else with a known address is refused, and its owner gets a note.

    Raises:
        BadAddress, WeakPassword: what was typed cannot be used.
        AddressTaken: say no more than that no account was made.
    """
    address = addresses.checked(email)
    password = passwords.checked(password, address)
    if learner_with(address) is None:
        password_hash = passwords.hashed(password)
        learner = _add_learner(address, password_hash, Role.LEARNER, locale, None)
        if learner is not None:
            return learner
    try:
        return authenticate(address, password, "")
    except (BadCredentials, throttle.TooManyTries) as error:
        _tell_owner(address)
        raise AddressTaken from error


def create_user(
    email: str, role: Role, password: str, created_by: str, locale: Locale = Locale.ZH
) -> Learner:
    """Make an account of any role, for operators; `created_by` names them in the audit.

    Raises:
        BadAddress, WeakPassword: what was given cannot be used.
        AddressTaken: the address has an account.
    """
    address = addresses.checked(email)
    password_hash = passwords.hashed(passwords.checked(password, address))
    learner = _add_learner(address, password_hash, role, locale, created_by)
    if learner is None:
        raise AddressTaken
    return learner


@transactional
def _add_learner(
    address: str, password_hash: str, role: Role, locale: Locale, created_by: str | None
) -> Learner | None:
    known = learner_with(address)
    if known is not None:
        # Ours, by its salt, when the connection was lost while committing it.
        return known if known.password_hash == password_hash else None
    learner = Learner(
        public_id=ids.new_public_id(),
        email=address,
        password_hash=password_hash,
        role=role.value,
        locale=locale.value,
        created_at=clock.now(),
    )
    db.session.add(learner)
    db.session.flush()
    audit.record("learner.created", actor(learner), created_by or actor(learner), role=role.value)
    return learner


@transactional
def _tell_owner(address: str) -> None:
    """Write to the owner that somebody tried to register with the address, at most once a day."""
    learner = learner_with(address)
    if learner is None or learner.disabled_at is not None:
        return
    effect_key = f"mail_register_again:{learner.public_id}:{clock.now():%Y%m%d}"
    if not outbox.is_recorded(effect_key):
        outbox.add("mail_register_again", effect_key, learner.id)


def authenticate(email: str, password: str, address: str) -> Learner:
    """Return the learner with this e-mail address and password; `address` is where the request came from.

    An unknown account costs the same try, the same hashing and the same answer as a wrong password.

    Raises:
        TooManyTries: after ten failures in 15 minutes, for 15 minutes, whether or not the account exists.
        BadCredentials: the account is unknown or disabled, or the password is another.
    """
    tried = addresses.normalised(email)
    throttle.take_try(throttle.SIGN_IN, tried)
    learner = learner_with(tried)
    if learner is not None:
        # What is judged stays what was read, also when a transaction on the way is repeated.
        db.session.expunge(learner)
    is_right = passwords.matches(learner.password_hash if learner else None, password)
    if learner is None or not is_right or learner.disabled_at is not None:
        log.warning("sign-in failed", extra={"remote_address": address})
        raise BadCredentials
    throttle.forget_tries(throttle.SIGN_IN, tried)
    if passwords.is_outdated(learner.password_hash):
        _replace_hash(learner, learner.password_hash, passwords.hashed(password))
    return learner


@transactional
def _replace_hash(learner: Learner, before: str, password_hash: str) -> bool:
    """Store a new hash unless the password has been changed meanwhile, and tell whether it was stored."""
    replaced = db.session.execute(
        sa.update(Learner)
        .where(Learner.id == learner.id, Learner.password_hash == before)
        .values(password_hash=password_hash)
        .execution_options(synchronize_session=False)
    )
    if not changed_one(replaced):
        return False
    set_committed_value(learner, "password_hash", password_hash)
    return True


def is_stored(learner: Learner, password_hash: str) -> bool:
    """Tell whether this very hash is the account's, as after a connection that was lost while committing it."""
    query = sa.select(Learner.id).where(Learner.id == learner.id, Learner.password_hash == password_hash)
    return db.session.scalar(query) is not None


def change_password(learner: Learner, old: str, new: str, kept_session_id: int | None) -> None:
    """Set a new password for somebody who knows the old one; ends all other sessions and mailed links.

    Raises:
        TooManyTries: after ten wrong passwords; the count is that of signing in.
        BadCredentials: `old` is not the password.
        WeakPassword: `new` may not be chosen.
    """
    before = learner.password_hash
    throttle.take_try(throttle.SIGN_IN, learner.email)
    if not passwords.matches(before, old):
        raise BadCredentials
    throttle.forget_tries(throttle.SIGN_IN, learner.email)
    password_hash = passwords.hashed(passwords.checked(new, learner.email))
    _store_password(learner, before, password_hash, kept_session_id)


@transactional
def _store_password(learner: Learner, before: str, password_hash: str, kept_session_id: int | None) -> None:
    if not _replace_hash(learner, before, password_hash):
        if is_stored(learner, password_hash):
            return
        raise BadCredentials
    _note_new_password(learner)
    end_other_sessions(learner, kept_session_id)
    audit.record("learner.password_changed", actor(learner), actor(learner))


def _note_new_password(learner: Learner) -> None:
    """Note the moment of a new password, in the running transaction: it voids links and the tokens of editors."""
    now = clock.now()
    db.session.execute(
        sa.update(Learner)
        .where(Learner.id == learner.id)
        .values(password_changed_at=now)
        .execution_options(synchronize_session=False)
    )
    set_committed_value(learner, "password_changed_at", now)
    db.session.execute(
        sa.update(PasswordReset)
        .where(PasswordReset.learner_id == learner.id, PasswordReset.used_at.is_(None))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )


@transactional
def set_password(learner: Learner, password_hash: str, changed_by: str) -> None:
    """Store a new password's hash for somebody who proved otherwise who they are; ends all sessions and links.

    The running count of failed sign-ins is forgotten: its owner has shown up.
    """
    db.session.execute(
        sa.update(Learner)
        .where(Learner.id == learner.id)
        .values(password_hash=password_hash)
        .execution_options(synchronize_session=False)
    )
    _note_new_password(learner)
    end_other_sessions(learner, None, changed_by)
    throttle.forget_tries(throttle.SIGN_IN, learner.email)
    audit.record("learner.password_changed", actor(learner), changed_by)


@transactional
def change_locale(learner: Learner, locale: Locale) -> None:
    """Set the language of the learner's pages and mails."""
    db.session.execute(sa.update(Learner).where(Learner.id == learner.id).values(locale=locale.value))
    audit.record("learner.locale_changed", actor(learner), actor(learner), locale=locale.value)
