"""Processes are killed at each named point while others buy: `make prove` only, for each point takes its time."""

import os
import random
from contextlib import suppress

import pytest

from portal.kit import faults
from tests.support.load import Customers
from tests.support.running import running_shop
from tests.support.seeds import seed_of

pytestmark = [
    pytest.mark.kill,
    pytest.mark.database,
    pytest.mark.skipif(not os.environ.get("PROVE"), reason="for make prove"),
]

# Where everybody dies before each license, nothing ends until the dead are replaced by some who live.
_DEADLY_SECONDS = 15


@pytest.fixture(scope="module")
def running(tmp_path_factory, database_server):
    """One running shop for all points."""
    with running_shop(tmp_path_factory.mktemp("shop"), database_server, WEB_CONCURRENCY="2") as started:
        yield started


# Nobody migrates while others buy.
@pytest.mark.parametrize("point", sorted(faults.POINTS - {"migrate.mid"}))
def test_killed_while_others_buy(running, point):
    """Some cancel, and some WeChat never tells of, so that every way is gone; the dead are replaced."""
    running.begin_anew()
    draw = random.Random(seed_of(f"under load {point}"))
    with Customers(running, 6, draw, faults=0.3) as customers:
        customers.wait_for(2)
        fault = f"{point}:kill:{draw.randint(1, 3)}"
        for process in (running.portal, running.worker):
            process.kill9()
            process.env["PORTAL_FAULT"] = fault
        running.portal.start()
        running.worker.start()
        with suppress(AssertionError):
            customers.wait_for(4, _DEADLY_SECONDS)
        running.portal.run_unarmed()
        running.worker.run_unarmed()
        customers.wait_for(4)
    running.come_to_rest()
