"""Anything in any order, and at the end WeChat's books, the model's and ours are the same (`machine.py`)."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from portal.kit import clock as portal_clock
from portal.licenses import key_ring
from tests.proof.refunding import RefundingMachine
from tests.proof.world import FrozenClock, World
from tests.support.seeds import how_many, seed_of

pytestmark = [pytest.mark.kill, pytest.mark.database]


@pytest.fixture
def world(app, shop, begin_anew, sandbox, tools, tmp_path, monkeypatch):
    """A shop that can be begun anew for every example."""
    monkeypatch.setattr(key_ring, "_NEW_KEY_BITS", 2048)
    clock = FrozenClock(shop)

    def begin() -> None:
        sandbox.control("POST", "/control/reset", {})
        begin_anew()
        for mail in tools.settings.MAIL_DIR.glob("*.eml"):
            mail.unlink()

    with portal_clock.replaced(clock.now, clock.sleep):
        yield World(app, shop, clock, begin, tmp_path / "last-words")


def test_whatever_happens_the_books_agree(world):
    make: Any = lambda: RefundingMachine(world)  # noqa: E731 - what the seed is noted on
    run_state_machine_as_test(
        seed(seed_of("machine"))(make),
        settings=settings(
            max_examples=how_many(30, 60),
            stateful_step_count=how_many(30, 50),
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
