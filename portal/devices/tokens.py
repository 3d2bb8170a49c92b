"""Bearer tokens of editors: issue, rotate, revoke."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from portal.audit import services as audit
from portal.devices.errors import InvalidGrant, InvalidScope, Refused
from portal.devices.models import DeviceGrant, GrantState, Scope, Token, TokenFamily, TokenKind, scopes_in
from portal.devices.queries import editors_of, is_alive
from portal.kit import clock, ids
from portal.kit.db import db, transactional
from portal.kit.errors import NotFound
from portal.learners.models import Learner
from portal.learners.sessions import actor
from portal.outbox import services as outbox

log = logging.getLogger(__name__)

ACCESS_LIFETIME = timedelta(hours=1)
REFRESH_LIFETIME = timedelta(days=90)
EDITORS_ALLOWED = 10
COMMAND_LINE = "command-line"
# As long as a rotated refresh token is kept, its second coming is noticed.
_ROTATED_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Issued:
    """Tokens, in clear for the only time. `refresh_token` is None where there is none to have."""

    access_token: str
    refresh_token: str | None
    scope: str
    expires_at: datetime
    family_id: int


class Drawn(NamedTuple):
    """Secrets of tokens to be. Drawn before the transaction, so that one that is repeated knows its own rows."""

    access_token: str
    refresh_token: str


def draw() -> Drawn:
    """Draw the secrets of an access and a refresh token."""
    return Drawn(ids.new_secret(), ids.new_secret())


def issued_with(drawn: Drawn) -> Issued | None:
    """Return what was issued with these secrets, as after a connection that was lost while committing it."""
    token = db.session.scalar(sa.select(Token).where(Token.token_hash == ids.secret_hash(drawn.access_token)))
    if token is None:
        return None
    return Issued(drawn.access_token, drawn.refresh_token, token.scope, token.expires_at, token.family_id)


def scope_text(scopes: Iterable[str]) -> str:
    """Return scopes as they are stored and told: each once, in our order."""
    wanted = frozenset(scopes)
    return " ".join(scope.value for scope in Scope if scope.value in wanted)


def checked_scope(text: str, granted: frozenset[str] = frozenset(Scope)) -> str:
    """Return the scopes that `text` asks for, all that were granted when it names none.

    Raises:
        InvalidScope: when one is unknown or was not granted.
    """
    wanted = scopes_in(text) or granted
    if not wanted <= granted:
        raise InvalidScope
    return scope_text(wanted)


def _add(family: TokenFamily, kind: TokenKind, secret: str, scope: str, expires_at: datetime) -> None:
    token = Token(
        token_hash=ids.secret_hash(secret),
        kind=kind.value,
        family_id=family.id,
        scope=scope,
        created_at=clock.now(),
        expires_at=expires_at,
    )
    db.session.add(token)


def _issue(family: TokenFamily, scope: str, drawn: Drawn) -> Issued:
    """Add an access token and the refresh token for the next one, whose scope stays the family's."""
    now = clock.now()
    ends = now + ACCESS_LIFETIME
    _add(family, TokenKind.ACCESS, drawn.access_token, scope, ends)
    _add(family, TokenKind.REFRESH, drawn.refresh_token, family.scope, now + REFRESH_LIFETIME)
    return Issued(drawn.access_token, drawn.refresh_token, scope, ends, family.id)


def _add_family(family: TokenFamily, added_by: str) -> None:
    """Add an editor to the running transaction, and the mail that tells its learner; the oldest make room."""
    # The learner's row is the lock that keeps two editors at once from counting the same ten.
    db.session.execute(sa.select(Learner.id).where(Learner.id == family.learner_id).with_for_update())
    db.session.add(family)
    db.session.flush()
    for surplus in editors_of(family.learner_id)[EDITORS_ALLOWED:]:
        _end(surplus, added_by, "too_many")
    outbox.add("mail_new_device", f"mail_new_device:{family.public_id}", family.id)
    audit.record("editor.connected", f"editor:{family.public_id}", added_by, scope=family.scope)


def connect(grant: DeviceGrant, learner: Learner, drawn: Drawn) -> Issued:
    """Make the editor that the learner allowed, with its first tokens, in the running transaction."""
    now = clock.now()
    family = TokenFamily(
        public_id=ids.new_public_id(),
        learner_id=learner.id,
        client_id=grant.client_id,
        scope=grant.scope,
        name=grant.device_name,
        address=grant.address,
        created_at=grant.decided_at or now,
        last_used_at=now,
        expires_at=now + REFRESH_LIFETIME,
    )
    _add_family(family, actor(learner))
    return _issue(family, family.scope, drawn)


@transactional
def create_token(learner: Learner, scope: str, lifetime: timedelta, created_by: str, name: str) -> Issued:
    """Make an access token without an editor, for operators; its learner sees it and can end it.

    Raises:
        InvalidScope: an unknown scope.
    """
    now, secret = clock.now(), ids.new_secret()
    family = TokenFamily(
        public_id=ids.new_public_id(),
        learner_id=learner.id,
        client_id=COMMAND_LINE,
        scope=checked_scope(scope),
        name=name,
        address="",
        created_at=now,
        last_used_at=now,
        expires_at=now + lifetime,
    )
    _add_family(family, created_by)
    _add(family, TokenKind.ACCESS, secret, family.scope, family.expires_at)
    return Issued(secret, None, family.scope, family.expires_at, family.id)


def refresh(refresh_token: str, client_id: str, scope: str = "") -> Issued:
    """Exchange a refresh token for new tokens; it works once (RFC 6749, section 6; RFC 9700, 4.14.2).

    A second use, whoever made it, ends the family: one of the two users is a thief.

    Raises:
        InvalidGrant: unknown, used, expired, or its editor was ended.
        InvalidScope: more than was granted; the token stays good.
    """
    outcome = _refresh(refresh_token, client_id, scope, draw())
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


@transactional
def _refresh(refresh_token: str, client_id: str, scope: str, drawn: Drawn) -> Issued | Refused:
    # A refusal is returned, because an exception would roll back the end of the family.
    token = db.session.scalar(
        sa.select(Token)
        .where(Token.token_hash == ids.secret_hash(refresh_token), Token.kind == TokenKind.REFRESH.value)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    family = _living_family(token.family_id) if token is not None else None
    if token is None or family is None or family.client_id != client_id:
        return InvalidGrant()
    if token.rotated_at is not None:
        if own := issued_with(drawn):
            return own
        log.warning("refresh token used twice", extra={"security": True, "editor": family.public_id})
        _end(family, audit.SYSTEM, "refresh_token_reused")
        return InvalidGrant()
    now = clock.now()
    if token.expires_at <= now:
        return InvalidGrant()
    wanted = checked_scope(scope, family.scopes)
    token.rotated_at = family.last_used_at = now
    family.expires_at = now + REFRESH_LIFETIME
    return _issue(family, wanted, drawn)


def _living_family(family_id: int) -> TokenFamily | None:
    return db.session.scalar(
        sa.select(TokenFamily)
        .join(Learner, TokenFamily.learner_id == Learner.id)
        .where(TokenFamily.id == family_id, is_alive())
        .execution_options(populate_existing=True)
    )


def _end(family: TokenFamily, ended_by: str, reason: str) -> None:
    family.revoked_at = clock.now()
    db.session.flush()
    audit.record("editor.ended", f"editor:{family.public_id}", ended_by, reason=reason)


@transactional
def revoke(token: str) -> None:
    """End the editor that a token of either kind belongs to (RFC 7009, section 2); unknown ones are ended already.

    Whoever has the token could do more with it than end it, so nothing else is asked for.
    """
    row = db.session.execute(
        sa.select(TokenFamily, Learner)
        .join(Token, Token.family_id == TokenFamily.id)
        .join(Learner, TokenFamily.learner_id == Learner.id)
        .where(Token.token_hash == ids.secret_hash(token), TokenFamily.revoked_at.is_(None))
        .execution_options(populate_existing=True)
    ).first()
    if row is not None:
        _end(row[0], actor(row[1]), "signed_out")


@transactional
def end_editor(learner: Learner, public_id: str) -> None:
    """End one of the learner's editors: its next request is nobody's. Doing it twice is the same.

    Raises:
        NotFound: when there is none, or it is another's.
    """
    family = db.session.scalar(
        sa.select(TokenFamily)
        .where(TokenFamily.public_id == public_id, TokenFamily.learner_id == learner.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if family is None:
        raise NotFound
    if family.revoked_at is None:
        _end(family, actor(learner), "learner")


@transactional
def end_editors(learner: Learner, ended_by: str, reason: str) -> None:
    """End all editors of a learner, and refuse those that were allowed and have not fetched their tokens yet."""
    db.session.execute(
        sa.update(DeviceGrant)
        .where(DeviceGrant.learner_id == learner.id, DeviceGrant.state == GrantState.APPROVED.value)
        .values(state=GrantState.DENIED.value)
        .execution_options(synchronize_session=False)
    )
    families = (
        sa.select(TokenFamily)
        .where(
            TokenFamily.learner_id == learner.id,
            TokenFamily.revoked_at.is_(None),
            TokenFamily.expires_at > clock.now(),
        )
        .order_by(TokenFamily.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for family in db.session.scalars(families).all():
        _end(family, ended_by, reason)


@transactional
def sweep_tokens() -> int:
    """Delete tokens whose time is over, and return how many."""
    now = clock.now()
    over = sa.delete(Token).where(sa.or_(Token.expires_at <= now, Token.rotated_at <= now - _ROTATED_KEPT))
    return int(getattr(db.session.execute(over), "rowcount", 0))
