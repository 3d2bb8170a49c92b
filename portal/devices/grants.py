"""The device authorization grant (RFC 8628): start it, find it by its code, decide it, exchange it once."""

import unicodedata
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from portal.audit import services as audit
from portal.devices import tokens, user_codes
from portal.devices.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidClient,
    InvalidGrant,
    Refused,
    SlowDown,
)
from portal.devices.models import LONGEST_NAME, DeviceGrant, GrantState
from portal.devices.tokens import Issued
from portal.kit import clock, ids
from portal.kit.db import ChangedMeanwhile, changed_one, db, transactional
from portal.kit.errors import Conflict, Invalid
from portal.learners import throttle
from portal.learners.models import Learner
from portal.learners.sessions import Person, Standing, actor, check_standing, standing_of

CLIENT_ID = "learning-buddy-vscode"
LIFETIME = timedelta(minutes=10)
INTERVAL_SECONDS = 5
_SLOWER_BY_SECONDS = 5
# A wrong code belongs to no grant, so tries are counted by who makes them; right ones count too, or an
# attacker could buy new tries with codes of his own.
TYPING = throttle.Rule("device-code", 10, timedelta(minutes=10), timedelta(minutes=10))
_KEPT = timedelta(days=1)


class CodeNotGood(Invalid):
    """Nothing can be decided with what was typed."""


class UnknownCode(CodeNotGood):
    """No editor shows this code to this learner."""

    code = "unknown_code"


class UsedCode(CodeNotGood):
    """The editor has its tokens already; it shows a new code when it is asked to sign in again."""

    code = "used_code"


class GrantOver(Conflict):
    """It cannot be decided any more: decided already, used, or its time is over."""

    code = "grant_over"


@dataclass(frozen=True)
class Started:
    """What the editor is told; the codes are in clear here and nowhere else."""

    device_code: str
    user_code: str
    expires_in: int
    interval: int


def check_client(client_id: str) -> None:
    """Raise `InvalidClient` unless `client_id` is the extension's: a public client, which has no secret."""
    if client_id != CLIENT_ID:
        raise InvalidClient


def clean_name(text: str) -> str:
    """Return what an editor calls itself, fit to be shown: one line, nothing invisible, not too long.

    Letters that turn the direction of writing could make `evil` read as something else.
    """
    printable = "".join(
        character if unicodedata.category(character)[0] not in "CZ" else " "
        for character in unicodedata.normalize("NFC", text)
    )
    return " ".join(printable.split())[:LONGEST_NAME].rstrip()


@transactional
def start_grant(client_id: str, scope: str, device_name: str, address: str) -> Started:
    """Begin: draw the two codes and remember who asked for what. `address` is where the editor is.

    Raises:
        InvalidClient, InvalidScope.
    """
    check_client(client_id)
    now, device_code, user_code = clock.now(), ids.new_secret(), user_codes.new_user_code()
    grant = DeviceGrant(
        public_id=ids.new_public_id(),
        device_code_hash=ids.secret_hash(device_code),
        user_code_hash=ids.secret_hash(user_code),
        client_id=client_id,
        scope=tokens.checked_scope(scope),
        device_name=clean_name(device_name),
        address=address[:45],
        state=GrantState.PENDING.value,
        interval_seconds=INTERVAL_SECONDS,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    db.session.add(grant)
    db.session.flush()
    shown = user_codes.shown(user_code)
    return Started(device_code, shown, int(LIFETIME.total_seconds()), INTERVAL_SECONDS)


def grant_with_user_code(entry: str, learner: Learner) -> DeviceGrant:
    """Return the grant whose code the learner typed; each call is a try.

    Raises:
        UnknownCode: no editor shows it, or somebody else has decided it.
        UsedCode: it was used.
        TooManyTries: after ten tries in ten minutes, for ten minutes.
    """
    throttle.take_try(TYPING, learner.public_id)
    code = user_codes.normalised(entry)
    grant = None
    if code is not None:
        grant = db.session.scalar(
            sa.select(DeviceGrant)
            .where(DeviceGrant.user_code_hash == ids.secret_hash(code))
            .execution_options(populate_existing=True)
        )
    if grant is None or grant.learner_id not in {None, learner.id}:
        raise UnknownCode
    if grant.state == GrantState.USED:
        raise UsedCode
    return grant


def approve(grant: DeviceGrant, learner: Person) -> None:
    """Let the editor act for the learner; allowing twice is the same.

    Raises:
        GrantOver: too late.
        SignedOut: the learner was signed out meanwhile.
    """
    _decide(grant.id, learner, GrantState.APPROVED, standing_of(learner))


def deny(grant: DeviceGrant, learner: Person) -> None:
    """Refuse the editor; refusing twice is the same.

    Raises:
        GrantOver: too late.
    """
    _decide(grant.id, learner, GrantState.DENIED, standing_of(learner))


@transactional
def _decide(grant_id: int, learner: Person, state: GrantState, standing: Standing) -> None:
    now = clock.now()
    decided = db.session.execute(
        sa.update(DeviceGrant)
        .where(
            DeviceGrant.id == grant_id,
            DeviceGrant.state == GrantState.PENDING.value,
            DeviceGrant.expires_at > now,
        )
        .values(state=state.value, learner_id=learner.id, decided_at=now)
    )
    if changed_one(decided):
        # After the grant's lock, in the order of an exchange.
        check_standing(standing)
        subject = f"device_grant:{_locked(DeviceGrant.id == grant_id).public_id}"
        audit.record(f"device_grant.{state.value}", subject, actor(learner))
        return
    grant = _locked(DeviceGrant.id == grant_id)
    if grant.state != state or grant.learner_id != learner.id:
        raise GrantOver


def _locked(condition: sa.ColumnElement[bool]) -> DeviceGrant:
    grant = _locked_or_none(condition)
    assert grant is not None
    return grant


def _locked_or_none(condition: sa.ColumnElement[bool]) -> DeviceGrant | None:
    return db.session.scalar(
        sa.select(DeviceGrant).where(condition).with_for_update().execution_options(populate_existing=True)
    )


def exchange(device_code: str, client_id: str) -> Issued:
    """Give the editor its tokens, once, if the learner allowed it (RFC 8628, section 3.4).

    Raises:
        AuthorizationPending, SlowDown: ask again, after the interval.
        AccessDenied, ExpiredToken, InvalidGrant: start again.
    """
    outcome = _exchange(device_code, client_id, tokens.draw())
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


@transactional
def _exchange(device_code: str, client_id: str, drawn: tokens.Drawn) -> Issued | Refused:
    # Refusals are returned, because an exception would roll back what a poll leaves behind. The row's lock
    # makes two exchanges of one code wait for each other, and the code is marked used together with the
    # birth of its tokens.
    grant = _locked_or_none(DeviceGrant.device_code_hash == ids.secret_hash(device_code))
    if grant is None or grant.client_id != client_id:
        return InvalidGrant()
    if grant.state == GrantState.USED:
        return tokens.issued_with(drawn) or InvalidGrant()
    if grant.is_expired:
        return ExpiredToken()
    if grant.state == GrantState.PENDING:
        return _polled(grant)
    learner = _approver(grant)
    if learner is None:
        return AccessDenied()
    used = db.session.execute(
        sa.update(DeviceGrant)
        .where(DeviceGrant.id == grant.id, DeviceGrant.state == GrantState.APPROVED.value)
        .values(state=GrantState.USED.value)
    )
    if not changed_one(used):
        raise ChangedMeanwhile
    return tokens.connect(grant, learner, drawn)


def _polled(grant: DeviceGrant) -> Refused:
    """Note the poll; one that came too soon makes the interval longer, for it and all that follow."""
    now = clock.now()
    earliest = timedelta(seconds=grant.interval_seconds)
    is_too_soon = grant.last_polled_at is not None and now - grant.last_polled_at < earliest
    grant.last_polled_at = now
    if is_too_soon:
        grant.interval_seconds += _SLOWER_BY_SECONDS
        return SlowDown()
    return AuthorizationPending()


def _approver(grant: DeviceGrant) -> Learner | None:
    """Return who allowed it, if they still may: not with an account disabled or a password changed since."""
    if grant.state != GrantState.APPROVED or grant.decided_at is None:
        return None
    return db.session.scalar(
        sa.select(Learner)
        .where(
            Learner.id == grant.learner_id,
            Learner.disabled_at.is_(None),
            sa.or_(Learner.password_changed_at.is_(None), Learner.password_changed_at < grant.decided_at),
        )
        .execution_options(populate_existing=True)
    )


@transactional
def sweep_grants() -> int:
    """Delete codes whose time was over a day ago, and return how many; unknown and used ones are refused alike."""
    over = sa.delete(DeviceGrant).where(DeviceGrant.expires_at <= clock.now() - _KEPT)
    return int(getattr(db.session.execute(over), "rowcount", 0))
