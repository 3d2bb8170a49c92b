"""How long an act waits for the database, how long that works, and which statement takes longest."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

_REPEATS = 3


@dataclass(frozen=True)
class Cost:
    """Milliseconds of SQL and of the database's CPU, number of statements of an act, and its slowest statement."""

    ms: float
    cpu_ms: float
    statements: int
    slowest: str


class SqlTime:
    """Adds up the time between sending a statement and having its first rows."""

    def __init__(self, engine: sa.Engine, worked: Callable[[], float]) -> None:
        """Listen to an engine; `worked` tells the seconds of CPU that its server has used so far."""
        self._worked = worked
        self._begun = 0.0
        self._spent: list[tuple[float, str]] = []
        sa.event.listen(engine, "before_cursor_execute", self._begin)
        sa.event.listen(engine, "after_cursor_execute", self._end)

    def _begin(self, *_facts: Any) -> None:
        self._begun = time.perf_counter()

    def _end(self, _connection: Any, _cursor: Any, statement: str, *_facts: Any) -> None:
        self._spent.append((time.perf_counter() - self._begun, statement))

    def of(self, act: Callable[[], Any]) -> Cost:
        """Return what an act costs: the best of some times, as other work on the machine only adds to it."""
        costs = []
        for _ in range(_REPEATS):
            self._spent = []
            before = self._worked()
            act()
            cpu = self._worked() - before
            total = sum(seconds for seconds, _ in self._spent)
            slowest = max(self._spent, default=(0.0, "nothing"))[1]
            costs.append(Cost(total * 1000, cpu * 1000, len(self._spent), " ".join(slowest.split())))
        return min(costs, key=lambda cost: cost.cpu_ms)
