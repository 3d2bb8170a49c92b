"""The portal's one clock. Nothing else reads the time, so a test can move it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_read: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731 - a replaceable source
_sleep: Callable[[float], None] = time.sleep


def now() -> datetime:
    """Return the current moment, aware, in UTC."""
    return _read()


def sleep(seconds: float) -> None:
    """Wait `seconds`; a test's clock does not wait."""
    _sleep(seconds)


@contextmanager
def replaced(read: Callable[[], datetime], pause: Callable[[float], None]) -> Iterator[None]:
    """Run the body by another clock: `read` gives the moment, `pause` stands in for waiting."""
    global _read, _sleep
    before = (_read, _sleep)
    _read, _sleep = read, pause
    try:
        yield
    finally:
        _read, _sleep = before


def iso(moment: datetime) -> str:
    """Write `moment` as UTC ISO 8601 with milliseconds and `Z`: `2026-11-20T08:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
