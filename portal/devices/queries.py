"""Reads of editors and their tokens."""

from dataclasses import dataclass

import sqlalchemy as sa

from portal.devices.models import DeviceGrant, Token, TokenFamily, TokenKind, scopes_in
from portal.kit import clock, ids
from portal.kit.db import db
from portal.learners.models import Learner


@dataclass(frozen=True)
class TokenHolder:
    """Whom a request with an access token acts for, and what it may do."""

    learner: Learner
    scopes: frozenset[str]
    family_id: int


def is_alive() -> sa.ColumnElement[bool]:
    """Return the condition under which a family joined with its learner is worth something."""
    return sa.and_(
        TokenFamily.revoked_at.is_(None),
        TokenFamily.expires_at > clock.now(),
        Learner.disabled_at.is_(None),
        sa.or_(Learner.password_changed_at.is_(None), TokenFamily.created_at > Learner.password_changed_at),
    )


def holder_of(token: str) -> TokenHolder | None:
    """Return whom an access token acts for, or None when it is expired, revoked or no access token at all.

    One statement, by the token's unique hash.
    """
    row = db.session.execute(
        sa.select(Learner, Token.scope, TokenFamily.id)
        .join(TokenFamily, TokenFamily.learner_id == Learner.id)
        .join(Token, Token.family_id == TokenFamily.id)
        .where(
            Token.token_hash == ids.secret_hash(token),
            Token.kind == TokenKind.ACCESS.value,
            Token.expires_at > clock.now(),
            is_alive(),
        )
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        return None
    learner, scope, family_id = row
    return TokenHolder(learner, scopes_in(scope), family_id)


def editors_of(learner_id: int) -> list[TokenFamily]:
    """Return the editors that a learner has connected now, the one used last first."""
    query = (
        sa.select(TokenFamily)
        .join(Learner, TokenFamily.learner_id == Learner.id)
        .where(Learner.id == learner_id, is_alive())
        .order_by(TokenFamily.last_used_at.desc(), TokenFamily.id.desc())
        .execution_options(populate_existing=True)
    )
    return list(db.session.scalars(query))


def grant_by_public_id(public_id: str) -> DeviceGrant | None:
    """Return the grant with this public id, whatever became of it."""
    return db.session.scalar(
        sa.select(DeviceGrant)
        .where(DeviceGrant.public_id == public_id)
        .execution_options(populate_existing=True)
    )
