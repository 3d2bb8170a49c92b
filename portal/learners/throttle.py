"""How often an address may be tried, counted in the database whether or not it has an account."""

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import db, transactional
from portal.kit.errors import TooMany
from portal.learners.models import SignInThrottle


@dataclass(frozen=True)
class Rule:
    """`tries` within `window`; the last of them locks the address for `lock`."""

    purpose: str
    tries: int
    window: timedelta
    lock: timedelta


SIGN_IN = Rule("sign-in", 10, timedelta(minutes=15), timedelta(minutes=15))
RESET = Rule("reset", 3, timedelta(hours=1), timedelta(hours=1))
_LONGEST = timedelta(days=1)


class TooManyTries(TooMany):
    """The address is locked for `retry_after` seconds; sessions that exist are not touched."""

    code = "too_many_tries"


def _key(rule: Rule, address: str) -> str:
    return hashlib.sha256(f"{rule.purpose}\n{address}".encode("utf-8", "replace")).hexdigest()


@transactional
def take_try(rule: Rule, address: str) -> None:
    """Count a try before it is made, so that many at once cannot slip through together.

    Raises:
        TooManyTries: when the address is locked; the try must not be made.
    """
    key, now = _key(rule, address), clock.now()
    row = db.session.scalar(
        sa.select(SignInThrottle)
        .where(SignInThrottle.key_hash == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        db.session.add(SignInThrottle(key_hash=key, failures=1, first_failure_at=now))
        return
    if row.locked_until is not None and row.locked_until > now:
        raise TooManyTries(math.ceil((row.locked_until - now).total_seconds()))
    if row.locked_until is not None or now - row.first_failure_at >= rule.window:
        row.failures, row.first_failure_at, row.locked_until = 0, now, None
    row.failures += 1
    if row.failures >= rule.tries:
        row.locked_until = now + rule.lock


@transactional
def forget_tries(rule: Rule, address: str) -> None:
    """Start the count anew: the password was right, or the owner of the address has shown up."""
    db.session.execute(sa.delete(SignInThrottle).where(SignInThrottle.key_hash == _key(rule, address)))


@transactional
def sweep_throttles() -> int:
    """Delete counts that no rule looks at any more, and return how many."""
    stale = sa.delete(SignInThrottle).where(SignInThrottle.first_failure_at < clock.now() - _LONGEST)
    return int(getattr(db.session.execute(stale), "rowcount", 0))
