"""The bank behind refunds: a thread that settles each when its time has come, without anybody asking."""

from __future__ import annotations

import logging
import sqlite3
import threading

from .refunds import Refunds

NAP_SECONDS = 0.05

log = logging.getLogger("sandbox.bank")


class Bank:
    """Looks at the refunds again and again."""

    def __init__(self, refunds: Refunds) -> None:
        self._refunds = refunds
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bank", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Settle nothing more."""
        self._is_stopped.set()
        if self._thread.is_alive():
            self._thread.join(2)

    def _work(self) -> None:
        while not self._is_stopped.wait(NAP_SECONDS):
            try:
                self._refunds.settle_due()
            except sqlite3.Error:
                log.exception("could not settle refunds")
