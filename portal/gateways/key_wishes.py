"""A message named a key that we do not hold: note it for the worker, who fetches keys at most once in ten minutes.

A forger can name any key, so a message never causes a call, nor more than one write in ten minutes (F38).
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

import sqlalchemy as sa

from portal.gateways.health import GatewayHealth, ensure_row, update_row
from portal.kit import clock
from portal.kit.db import changed_one, db, transactional

_ONCE_IN = timedelta(minutes=10)


class KeyWishes:
    """The wishes of one gateway's messages. One per process; safe between threads."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._lock = threading.Lock()
        self._noted_at: datetime | None = None
        self.within: Callable[[], AbstractContextManager[object]] = nullcontext
        """Inside of what a wish is written, for whoever verifies outside of the application."""

    def note(self) -> None:
        """Wish for current keys; call with no transaction open."""
        now = clock.now()
        with self._lock:
            if self._noted_at is not None and abs(now - self._noted_at) < _ONCE_IN:
                return
            self._noted_at = now
        with self.within():
            try:
                self._write(now)
            except sa.exc.SQLAlchemyError:
                # The message is refused all the same, and sent again.
                db.session.rollback()
                self.forget()

    @transactional
    def _write(self, now: datetime) -> None:
        ensure_row(self._gateway)
        db.session.execute(
            update_row(self._gateway, GatewayHealth.keys_wanted_at.is_(None)).values(keys_wanted_at=now)
        )

    @transactional
    def take(self) -> bool:
        """Tell whether keys are to be fetched now; if so, the wish is taken, and the next waits ten minutes."""
        now = clock.now()
        taken = db.session.execute(
            update_row(
                self._gateway,
                GatewayHealth.keys_wanted_at.is_not(None),
                sa.or_(GatewayHealth.keys_tried_at.is_(None), GatewayHealth.keys_tried_at <= now - _ONCE_IN),
            ).values(keys_wanted_at=None, keys_tried_at=now)
        )
        return changed_one(taken)

    def forget(self) -> None:
        """Note the next wish, whenever the last was."""
        with self._lock:
            self._noted_at = None
