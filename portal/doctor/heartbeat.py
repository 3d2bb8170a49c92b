"""The worker's sign of life: one row, written every few seconds by whoever does the worker's round."""

from datetime import timedelta

import sqlalchemy as sa

from portal.doctor.models import Heartbeat
from portal.kit import clock
from portal.kit.db import db, transactional

WORKER = "worker"


@transactional
def beat(name: str = WORKER) -> None:
    """Note that `name` is alive now."""
    now = clock.now()
    known = db.session.scalar(sa.select(Heartbeat.at).where(Heartbeat.name == name))
    if known is None:
        db.session.execute(sa.insert(Heartbeat).values(name=name, at=now))
    else:
        db.session.execute(sa.update(Heartbeat).where(Heartbeat.name == name).values(at=now))


def silence(name: str = WORKER) -> timedelta | None:
    """Return how long `name` has given no sign of life; None when it never has."""
    last = db.session.scalar(sa.select(Heartbeat.at).where(Heartbeat.name == name))
    return None if last is None else clock.now() - last
