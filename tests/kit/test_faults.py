"""Named points break the portal when a test asks for it, and only then."""

import os
import signal
from datetime import UTC, datetime

import pytest

from portal.kit import clock, faults
from portal.kit.faults import FaultInjected

POINT = "license.after_sign"


@pytest.fixture(autouse=True)
def disarmed():
    """Arm nothing beyond the test."""
    yield
    faults.arm(None)


def test_nothing_happens_unless_armed():
    faults.arm(None)
    for name in faults.POINTS:
        faults.point(name)


def test_raise_raises_at_its_point_and_at_no_other():
    faults.arm(f"{POINT}:raise")
    faults.point("mail.after_send")
    with pytest.raises(FaultInjected, match=POINT):
        faults.point(POINT)


def test_it_strikes_once():
    faults.arm(f"{POINT}:raise")
    with pytest.raises(FaultInjected):
        faults.point(POINT)
    faults.point(POINT)


def test_the_nth_pass_is_the_one():
    faults.arm(f"{POINT}:raise:3")
    faults.point(POINT)
    faults.point(POINT)
    with pytest.raises(FaultInjected):
        faults.point(POINT)


def test_sleep_sleeps_by_the_clock():
    slept: list[float] = []
    faults.arm(f"{POINT}:sleep=2.5")
    with clock.replaced(lambda: datetime.now(UTC), slept.append):
        faults.point(POINT)
    assert slept == [2.5]


def test_kill_kills_this_process_as_a_crash_would(monkeypatch):
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    faults.arm(f"{POINT}:kill")
    faults.point(POINT)
    assert sent == [(os.getpid(), signal.SIGKILL)]


@pytest.mark.parametrize("spec", [None, "", *(f"{point}:raise" for point in sorted(faults.POINTS))])
def test_a_spec_with_a_known_point_is_good(spec):
    faults.check(spec)


@pytest.mark.parametrize(
    "spec",
    [
        "nowhere:raise",
        f"{POINT}",
        f"{POINT}:",
        f"{POINT}:explode",
        f"{POINT}:sleep",
        f"{POINT}:sleep=",
        f"{POINT}:sleep=-1",
        f"{POINT}:raise:",
        f"{POINT}:raise:x",
        f"{POINT}:raise:0",
        f"{POINT}:raise:１",
        f" {POINT}:raise",
        f"{POINT}:raise\n",
    ],
)
def test_any_other_is_refused_and_arms_nothing(spec):
    with pytest.raises(ValueError, match="PORTAL_FAULT is"):
        faults.check(spec)
    with pytest.raises(ValueError):
        faults.arm(spec)
    faults.point(POINT)
