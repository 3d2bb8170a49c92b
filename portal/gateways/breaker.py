"""Keep a failing gateway from taking the portal with it, and a recovered one from being flooded.

One row for each gateway, so that all processes agree: after five failures in a row the breaker opens; while it is
open nothing is sent but one probe every 15 seconds; the first good answer closes it. The row is written on failure
and recovery only, and read at most once a second by each process. A worker's calls also take turns, five a second
over all workers, so that what has piled up drains without tripping the gateway's limits (F6).
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.gateways.base import GatewayUnknown
from portal.gateways.health import GatewayHealth, ensure_row, update_row
from portal.kit import clock
from portal.kit.db import changed_one, db, transactional

log = logging.getLogger(__name__)

_FAILURES = 5
_PROBE_EVERY = timedelta(seconds=15)
# Without a worker nobody probes; then, after a minute, the next learner's order may.
_PROBES_MISSED = timedelta(seconds=60)
_FRESH = timedelta(seconds=1)
_TURN = timedelta(milliseconds=200)
_LONGEST_WAIT = timedelta(seconds=5)

_takes_turns: ContextVar[bool] = ContextVar("takes_turns", default=False)


@dataclass(frozen=True)
class State:
    """What is known of a gateway. `probe_at`: the next moment at which one call may go out while it is open."""

    failures: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether calls are held back."""
        return self.opened_at is not None

    @property
    def seconds_to_probe(self) -> int:
        """Return how long until the next probe, at least one second."""
        wait = (self.probe_at - clock.now()).total_seconds() if self.probe_at else 0
        return max(1, int(wait) + 1)


@contextmanager
def taking_turns() -> Iterator[None]:
    """Let the calls of the body wait for their turn among all workers: five calls a second, each gateway."""
    before = _takes_turns.set(True)
    try:
        yield
    finally:
        _takes_turns.reset(before)


def longest_wait() -> timedelta:
    """Return for how long a call made now may wait for its turn: a worker's 5 s, another's not at all."""
    return _LONGEST_WAIT if _takes_turns.get() else timedelta(0)


class Breaker:
    """The breaker of one gateway, as one process sees it. Safe between threads."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._lock = threading.Lock()
        self._seen: tuple[datetime, State] | None = None

    def state(self) -> State:
        """Return how the gateway is; at most a second old. Joins a transaction already open."""
        now, seen = clock.now(), self._seen
        if seen is not None and abs(now - seen[0]) < _FRESH:
            return seen[1]
        row = db.session.execute(
            sa.select(GatewayHealth.failures, GatewayHealth.opened_at, GatewayHealth.probe_at).where(
                GatewayHealth.gateway == self._gateway
            )
        ).first()
        state = State(row.failures, row.opened_at, row.probe_at) if row is not None else State()
        with self._lock:
            self._seen = (now, state)
        return state

    def forget(self) -> None:
        """Read the row again at the next use."""
        with self._lock:
            self._seen = None

    def is_probe_due(self) -> bool:
        """Tell whether the breaker is open and it is time to try once."""
        state = self.state()
        return state.is_open and (state.probe_at is None or clock.now() >= state.probe_at)

    def refuses_orders(self) -> int | None:
        """Return after how many seconds to come again with a new order, or None when one may be placed now."""
        state = self.state()
        if state.probe_at is None or not state.is_open or clock.now() > state.probe_at + _PROBES_MISSED:
            return None
        return state.seconds_to_probe

    def admit(self) -> None:
        """Let one call out, after its turn; call with no transaction open.

        Raises:
            GatewayUnknown: the breaker is open and this call is no probe; nothing was sent.
        """
        state = self.state()
        if state.is_open and not self._take_probe(state):
            raise GatewayUnknown("breaker open", state.seconds_to_probe)
        if _takes_turns.get():
            self._wait_for_turn()

    @transactional
    def _take_probe(self, state: State) -> bool:
        now = clock.now()
        if state.probe_at is not None and now < state.probe_at:
            return False
        taken = db.session.execute(
            update_row(
                self._gateway, GatewayHealth.opened_at.is_not(None), GatewayHealth.probe_at <= now
            ).values(probe_at=now + _PROBE_EVERY)
        )
        self.forget()
        return changed_one(taken)

    def _wait_for_turn(self) -> None:
        turn = self._take_turn()
        wait = turn - clock.now()
        if wait > timedelta(0):
            clock.sleep(wait.total_seconds())

    @transactional
    def _take_turn(self) -> datetime:
        """Reserve the next free moment by compare-and-set.

        Raises:
            GatewayUnknown: it is more than five seconds away: others are draining already.
        """
        for _ in range(_FAILURES):
            now = clock.now()
            last = db.session.scalar(
                sa.select(GatewayHealth.next_turn_at).where(GatewayHealth.gateway == self._gateway)
            )
            turn = now if last is None else max(now, last)
            if turn - now > _LONGEST_WAIT:
                break
            if last is None:
                ensure_row(self._gateway)
            is_same = (
                GatewayHealth.next_turn_at.is_(None) if last is None else GatewayHealth.next_turn_at == last
            )
            if changed_one(
                db.session.execute(update_row(self._gateway, is_same).values(next_turn_at=turn + _TURN))
            ):
                return turn
        raise GatewayUnknown("busy")

    def succeeded(self) -> None:
        """Note a good answer: the row is forgotten, if it told of failures."""
        if self.state().failures:
            self._note(self._recover)

    def failed(self, reason: str) -> None:
        """Note a failure; `reason` must be safe to show."""
        self._note(lambda: self._count_failure(reason))

    def _note(self, write: Callable[[], None]) -> None:
        # What the gateway said must reach the caller, whether or not it can be noted.
        try:
            write()
        except sa.exc.SQLAlchemyError as error:
            db.session.rollback()
            log.warning("gateway health not noted", extra={"why": type(error).__name__})
        self.forget()

    @transactional
    def _recover(self) -> None:
        was_open = changed_one(
            db.session.execute(
                update_row(self._gateway, GatewayHealth.opened_at.is_not(None)).values(
                    opened_at=None, probe_at=None, failures=0
                )
            )
        )
        db.session.execute(update_row(self._gateway, GatewayHealth.failures > 0).values(failures=0))
        if was_open:
            log.warning("gateway breaker closed", extra={"alert": True, "gateway": self._gateway})

    @transactional
    def _count_failure(self, reason: str) -> None:
        now = clock.now()
        ensure_row(self._gateway)
        db.session.execute(
            update_row(self._gateway).values(failures=GatewayHealth.failures + 1, last_failure=reason[:64])
        )
        opened = db.session.execute(
            update_row(
                self._gateway, GatewayHealth.failures >= _FAILURES, GatewayHealth.opened_at.is_(None)
            ).values(opened_at=now, probe_at=now + _PROBE_EVERY)
        )
        if changed_one(opened):
            log.error("gateway breaker open", extra={"alert": True, "gateway": self._gateway, "why": reason})
