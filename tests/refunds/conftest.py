import pytest

from portal.kit import faults
from tests.support.desk import Desk


@pytest.fixture
def desk(shop, tools, sandbox):
    """People who give money back; WeChat keeps a refund in work until it is told how it ends."""
    found = Desk(shop, tools)
    found.switch(refund_mode="manual")
    return found


@pytest.fixture(autouse=True)
def disarmed():
    """No fault outlives its test."""
    yield
    faults.arm(None)
