"""The signed list of revoked licenses: what an editor checks offline licenses against.

A license that is past its end proves nothing, and one under a revoked key ends with the key: both are left out,
so that the list stays short enough for editors to read (4 MiB). Reasons are cut for the same reason.

Its text has the form of a license: base64 of JSON, `|`, signature. Every process writes the very same text,
without sharing anything: the moment of issue is the start of the half hour (or a later revocation), and the
signature (PKCS#1 v1.5) has no randomness. So the ETag of one process is good at another.
"""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from portal.kit import clock
from portal.kit.db import db
from portal.licenses import text
from portal.licenses.key_ring import KeyRing, KeyState
from portal.licenses.models import License

LIFETIME = timedelta(hours=1)
_HALF = LIFETIME / 2
_LONGEST_REASON = 80
"""Characters."""


@dataclass(frozen=True)
class _Stamp:
    """What the list depends on: equal stamps, equal lists."""

    kid: str
    issued_at: datetime
    since: datetime
    """The start of the half hour: licenses that ended before are left out."""
    revoked_kids: tuple[str, ...]
    count: int


class RevocationList:
    """Writes the list, and keeps the last one. One per process; safe between threads."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring
        self._lock = threading.Lock()
        self._last: tuple[_Stamp, str] | None = None

    def text(self) -> str:
        """Return the list as it is now; two statements, one when nothing changed.

        Raises:
            NoSigningKey: when no key can sign now.
        """
        kid, sign = self._key_ring.signer()
        revoked_kids = tuple(key.kid for key in self._key_ring.infos() if key.state is KeyState.REVOKED)
        since = _half_hour(clock.now())
        # The moment of issue is never before an earlier one's, also when what was revoked last is left out.
        latest, count = db.session.execute(
            sa.select(
                sa.func.max(License.revoked_at),
                sa.func.count(sa.case((_is_listed(since, revoked_kids), 1))),
            ).where(License.revoked_at.is_not(None))
        ).one()
        stamp = _Stamp(kid, max(since, latest or since), since, revoked_kids, count)
        with self._lock:
            if self._last is None or self._last[0] != stamp:
                self._last = (stamp, text.write(_fields(stamp), sign))
            return self._last[1]


def _half_hour(moment: datetime) -> datetime:
    """Return the start of the half hour that `moment` is in."""
    beginning = datetime(2000, 1, 1, tzinfo=UTC)
    return beginning + (moment - beginning) // _HALF * _HALF


def _is_listed(since: datetime, revoked_kids: tuple[str, ...]) -> sa.ColumnElement[bool]:
    return sa.and_(License.expires_at > since, License.kid.not_in(revoked_kids))


def _cut(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"


def _fields(stamp: _Stamp) -> dict[str, Any]:
    rows = db.session.execute(
        sa.select(License.id, License.revoked_at, License.revoked_reason)
        .where(License.revoked_at.is_not(None), _is_listed(stamp.since, stamp.revoked_kids))
        .order_by(License.revoked_at, License.id)
    )
    return {
        "kid": stamp.kid,
        "issuedAt": clock.iso(stamp.issued_at),
        "nextUpdate": clock.iso(stamp.issued_at + LIFETIME),
        "revoked": [
            {"id": row.id, "at": clock.iso(row.revoked_at), "reason": _cut(row.revoked_reason or "")}
            for row in rows
        ],
    }
