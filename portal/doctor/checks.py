"""What the portal stands on: database, keys, clock, gateway, worker, outbox, audit chain. Each check names its problems."""

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.audit import services as audit
from portal.doctor import database, figures, heartbeat
from portal.gateways.base import GatewayError
from portal.kit import clock, pem
from portal.kit.db import db
from portal.licenses.key_ring import KeyState, NoSigningKey
from portal.licenses.models import Entitlement, License
from portal.licenses.queries import good_under
from portal.licenses.services import LicenseCode, judge
from portal.switchboard.hold import standing_hold
from portal.tools import Tools

_SILENCE = timedelta(seconds=150)
"""Longer than a minute: a host without a worker sweeps from cron once a minute."""
_SKEW = timedelta(seconds=60)
_OLDEST_KEY = timedelta(days=365)
_ENDS_SOON = timedelta(days=30)
_OPEN_FOR = timedelta(minutes=2)
_UNRECONCILED = timedelta(days=2)
"""A day's bill comes the next morning; a payment just after midnight waits 39 hours for it to be overdue."""
_SAMPLE = 20
_LINKS = 10_000


def _settings(tools: Tools) -> list[str]:
    """What the start cannot refuse, because files come and go while the portal runs."""
    readable = [path.name for path in tools.key_ring.private_files() if path.stat().st_mode & 0o077]
    return [f"LICENSE_KEY_DIR: others than its owner may read {name} (chmod 400)" for name in readable]


def _database(_tools: Tools) -> list[str]:
    return database.settings_problems()


def _schema(_tools: Tools) -> list[str]:
    return database.schema_problems()


def _hold(_tools: Tools) -> list[str]:
    hold = standing_hold()
    if hold is None:
        return []
    return [f"on hold since {clock.iso(hold.since)} ({hold.reason}): `hold off` lets work and sales go on"]


def _signing_key(tools: Tools) -> list[str]:
    try:
        kid, _sign = tools.key_ring.signer()
    except NoSigningKey as error:
        return [f"no license can be signed: {error}"]
    (since,) = (key.not_before for key in tools.key_ring.infos() if key.kid == kid)
    age = clock.now() - datetime.fromisoformat(since)
    return [f"{kid} has been in use for {age.days} days: rotate it"] if age > _OLDEST_KEY else []


def _license_keys(tools: Tools) -> list[str]:
    """Every kid in use is published, and a sample of the newest licenses verifies (I19)."""
    kids = db.session.scalars(sa.select(License.kid).distinct())
    known = {key.kid for key in tools.key_ring.infos() if key.state is not KeyState.PREPARED}
    problems = [
        f"licenses were signed with {kid}, which is not published" for kid in kids if kid not in known
    ]
    revoked = [key.kid for key in tools.key_ring.infos() if key.state is KeyState.REVOKED]
    problems += [
        f"good licenses under the revoked key {kid}: {count} (`license-keys reissue {kid}`)"
        for kid in revoked
        if (count := len(good_under(kid)))
    ]
    newest = db.session.execute(
        sa.select(License.id, License.text)
        .join(Entitlement, Entitlement.id == License.entitlement_id)
        .order_by(Entitlement.id.desc())
        .limit(_SAMPLE)
    ).all()
    good = {LicenseCode.VALID, LicenseCode.EXPIRED, LicenseCode.REVOKED}
    for license_id, text in newest:
        code, found = judge(text, None, tools.key_ring)
        if code not in good or found is None or found.id != license_id:
            problems.append(f"license {license_id} does not verify: {code.value}")
    return problems


def _gateways(tools: Tools) -> list[str]:
    """One harmless signed call to each gateway: our credentials are taken, and the clocks agree."""
    problems = []
    for gateway in tools.gateways.values():
        try:
            gateway.ping()
        except GatewayError as error:
            problems.append(f"{gateway.name} does not take a signed call: {error.reason}")
        skew = gateway.clock_skew
        if skew is not None and abs(skew) > _SKEW:
            problems.append(f"our clock and that of {gateway.name} are {abs(skew).seconds} s apart")
        problems += [f"{gateway.name}: {text}" for text in gateway.key_problems()]
    return problems


def _merchant_certificate(tools: Tools) -> list[str]:
    """When the merchant's API certificate ends, where the settings name it: after that every call is refused."""
    text = tools.settings.WECHATPAY_CERT
    if text is None:
        return []
    left = pem.certificate(text).not_valid_after_utc - clock.now()
    if left < timedelta(0):
        return ["it has ended: make a new one in WeChat's merchant platform, and change the settings"]
    return (
        [f"it ends in {left.days} days: make a new one in WeChat's merchant platform"]
        if left < _ENDS_SOON
        else []
    )


def _worker(_tools: Tools) -> list[str]:
    silence = heartbeat.silence()
    if silence is None:
        return ["the worker has never run: start it, or run `sweep` every minute"]
    return (
        [f"no sign of life of the worker for {int(silence.total_seconds())} s"] if silence > _SILENCE else []
    )


def _breaker(_tools: Tools) -> list[str]:
    return [
        f"calls to {gateway} have been held back for {int(since.total_seconds())} s"
        for gateway, since in figures.open_breakers().items()
        if since > _OPEN_FOR
    ]


def _outbox(_tools: Tools) -> list[str]:
    problems = []
    lag, dead = figures.outbox_lag(), figures.undecided_dead_work()
    if lag > figures.LATE:
        problems.append(f"work is {int(lag.total_seconds())} s late")
    if dead:
        problems.append(f"{dead} pieces of work were given up: `cases list` names them")
    return problems


def _reconciliation(_tools: Tools) -> list[str]:
    """The age of the last comparison with a bill, once there are payments to compare."""
    begun, last = figures.since_first_payment(), figures.since_reconciliation()
    if begun is None:
        return []
    age = begun if last is None else last
    return [f"no day has been reconciled for {age.days} days"] if age > _UNRECONCILED else []


def _audit_chain(_tools: Tools) -> list[str]:
    """The newest part of the chain; `audit verify` walks all of it."""
    chain = audit.verify(newest=_LINKS)
    problems = [] if chain.broken_at is None else [f"the audit chain is broken at row {chain.broken_at}"]
    if chain.bad_head is not None:
        problems.append(
            f"the signed end of the audit chain of {chain.bad_head} does not fit: rows were cut off"
        )
    return problems


CHECKS: dict[str, Callable[[Tools], list[str]]] = {
    "settings": _settings,
    "database": _database,
    "schema": _schema,
    "hold": _hold,
    "signing key": _signing_key,
    "license keys": _license_keys,
    "gateways": _gateways,
    "merchant certificate": _merchant_certificate,
    "breaker": _breaker,
    "worker": _worker,
    "outbox": _outbox,
    "reconciliation": _reconciliation,
    "audit chain": _audit_chain,
}
